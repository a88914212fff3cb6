import Foundation

extension SweepOptions {
    /// A spec file of these options, defaults included.
    package var yaml: String {
        var text = "# vitpatch sweep --spec FILE; flags beside it override what it says\n"
        for key in SweepKey.allCases {
            text += "\(key.rawValue): \(Self.value(written(key), isList: key.isList))  # \(key.note)\n"
        }
        text +=
            places.isEmpty
            ? "places: []  # further sites, each with its window, layers, heads, tokens, neurons\n" : "places:\n"
        for values in places {
            let fields = SweepKey.ofPlaces.compactMap { key in
                values[key].map { "\(key.rawValue): \(Self.value($0, isList: $0.count > 1))" }
            }
            text += "  - {\(fields.joined(separator: ", "))}\n"
        }
        text += patches.isEmpty ? "patches: []  # patches spelled out\n" : "patches:\n"
        for patch in patches {
            text += "  - name: \(Self.scalar(patch.name))\n"
            if let direction = patch.direction { text += "    direction: \(direction.rawValue)\n" }
            text += "    parts:\n"
            for part in patch.parts {
                let sets = [
                    ("layers", part.layers), ("heads", part.heads), ("tokens", part.tokens), ("neurons", part.neurons),
                ]
                let fields = sets.compactMap { name, items in
                    items.map { "\(name): \(Self.value($0, isList: $0.count > 1))" }
                }
                text += "      - {\((["site: \(part.site.rawValue)"] + fields).joined(separator: ", "))}\n"
            }
        }
        return text
    }

    private static func value(_ items: [Written]?, isList: Bool) -> String {
        guard let items else { return "null" }
        let texts = items.map { scalar($0.text) }
        return isList || items.count != 1 ? "[\(texts.joined(separator: ", "))]" : texts[0]
    }

    /// Plain if no reader can take it for anything else, in double quotes otherwise.
    private static func scalar(_ text: String) -> String {
        let isPlain = text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._/+-".contains($0)) }
        if isPlain, let first = text.first, first != "+", first != "-", text.lowercased() != "null" { return text }
        let escaped = text.unicodeScalars.map { scalar in
            switch scalar {
            case "\\", "\"": "\\\(scalar)"
            case _ where scalar.properties.generalCategory == .control:
                "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: String(scalar)
            }
        }
        return "\"\(escaped.joined())\""
    }
}

extension SweepKey {
    var isList: Bool { kind == .texts || kind == .wholes }
}
