import Files
import Foundation
import Patch

extension SweepOptions {
    /// Flags of `sweep` that decide where and how it runs, not what it computes
    private static let elsewhere: Set<String> = [
        "ablate", "device", "gemm", "logits", "memory", "out", "precision", "print-spec", "profile", "report", "resume",
        "skip-unreadable", "verbose", "overwrite", "groups", "spec",
    ]
    private static let partKeys = ["site", "layers", "heads", "tokens", "neurons"]

    /// Reads a spec file, YAML or JSON (docs/spec.md); it may be an open pipe, `<(...)` or `/dev/stdin`.
    package init(file path: String) throws(SpecError) {
        let data: Data
        do {
            data = try InputFile.read(path, limit: YAMLReader.maxBytes, pipes: true)
        } catch { throw SpecError("the spec \(path) cannot be read: \(error)") }
        guard let text = String(data: data, encoding: .utf8) else {
            throw SpecError("\(path): the file is not UTF-8 text")
        }
        try self.init(yaml: text, name: path)
    }

    /// - Parameter name: the file's name in messages
    package init(yaml text: String, name: String) throws(SpecError) {
        self.init()
        var (reader, root) = try YAMLReader.open(text, name: name)
        let values = try reader.mapping(
            root, keys: SweepKey.allCases.map(\.rawValue) + ["places", "patches"], owner: "the spec",
            elsewhere: Self.elsewhere)
        for key in SweepKey.allCases {
            guard let value = values[key.rawValue] else { continue }
            self.values[key] = try Self.items(
                value, name: key.rawValue, kind: key.kind, &reader, mayBeEmpty: key == .site)
        }
        if let list = values["places"] {
            guard let places = try reader.list(list) else {
                throw reader.fail(list.line, "places: expected a list, found \(try reader.found(list))")
            }
            for place in places { self.places.append(try Self.place(place, &reader)) }
        }
        guard let list = values["patches"] else { return }
        guard let patches = try reader.list(list) else {
            throw reader.fail(list.line, "patches: expected a list, found \(try reader.found(list))")
        }
        for patch in patches { self.patches.append(try Self.patch(patch, &reader)) }
        try checkNames(patches.map(\.line), &reader)
    }

    /// The texts of one value or of a list.
    private static func items(
        _ value: YAMLReader.Value, name: String, kind: SweepKey.Kind, _ reader: inout YAMLReader,
        mayBeEmpty: Bool = false
    ) throws(SpecError) -> [Written] {
        let isNumber = kind == .whole || kind == .wholes, one = isNumber ? "a whole number" : "a text"
        let isSingle = [.whole, .text, .folder].contains(kind)
        func item(
            _ value: YAMLReader.Value, _ expected: String, _ reader: inout YAMLReader
        ) throws(SpecError) -> Written {
            guard let scalar = try reader.scalar(value), !scalar.text.isEmpty,
                !isNumber || scalar.isPlain && isWhole(scalar.text)
            else { throw reader.fail(value.line, "\(name): expected \(expected), found \(try reader.found(value))") }
            return Written(text: scalar.text, place: "\(reader.name):\(scalar.line): ", name: name)
        }
        guard !isSingle, let list = try reader.list(value) else {
            return [try item(value, isSingle ? one : "\(one) or a list", &reader)]
        }
        if list.isEmpty, !mayBeEmpty { throw reader.fail(value.line, "\(name): the list is empty") }
        var items: [Written] = []
        for value in list { items.append(try item(value, one, &reader)) }
        return items
    }

    private static func isWhole(_ text: String) -> Bool {
        let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
        return !digits.isEmpty && digits.allSatisfy { $0.isASCII && $0.isNumber }
    }

    private static func place(
        _ value: YAMLReader.Value, _ reader: inout YAMLReader
    ) throws(SpecError) -> [SweepKey: [Written]] {
        let given = try reader.mapping(value, keys: SweepKey.ofPlaces.map(\.rawValue), owner: "a place")
        if given["site"] == nil { throw reader.fail(value.line, "the place lacks its site") }
        var values: [SweepKey: [Written]] = [:]
        for key in SweepKey.ofPlaces {
            guard let value = given[key.rawValue] else { continue }
            values[key] = try items(value, name: key.rawValue, kind: key.kind, &reader)
        }
        return values
    }

    private static func patch(
        _ value: YAMLReader.Value, _ reader: inout YAMLReader
    ) throws(SpecError) -> WrittenPatch {
        let values = try reader.mapping(value, keys: ["name", "direction", "parts"], owner: "a patch")
        guard let name = values["name"] else { throw reader.fail(value.line, "the patch lacks its name") }
        guard let parts = values["parts"] else { throw reader.fail(value.line, "the patch lacks its parts") }
        guard let list = try reader.list(parts), !list.isEmpty else {
            throw reader.fail(
                parts.line, "parts: expected a list of at least one part, found \(try reader.found(parts))")
        }
        let direction: Direction? =
            if let value = values["direction"],
                let item = try items(value, name: "direction", kind: .text, &reader).first
            { try item.choice(Direction.self) } else { nil }
        var patch = WrittenPatch(
            name: try items(name, name: "name", kind: .text, &reader).first?.text ?? "", direction: direction,
            parts: [])
        for value in list { patch.parts.append(try part(value, &reader)) }
        return patch
    }

    private static func part(
        _ value: YAMLReader.Value, _ reader: inout YAMLReader
    ) throws(SpecError) -> WrittenPatch.Part {
        let values = try reader.mapping(value, keys: partKeys, owner: "a part")
        guard let siteValue = values["site"], let text = try items(siteValue, name: "site", kind: .text, &reader).first
        else { throw reader.fail(value.line, "the part lacks its site") }
        let site = try text.choice(Site.self)
        func set(_ name: String, isThere: Bool, _ reader: inout YAMLReader) throws(SpecError) -> [Written]? {
            guard let value = values[name] else { return nil }
            guard isThere else { throw reader.fail(value.line, "\(name): the site \(site.rawValue) has none") }
            let items = try items(value, name: name, kind: .list, &reader)
            if let each = items.first(where: { $0.text.split(separator: ",").contains("each") }) {
                throw each.failure(
                    "\(each.name) each: a part is one set; write a patch for each, or use the key \(name) of the spec")
            }
            return items
        }
        let part = WrittenPatch.Part(
            site: site, layers: try set("layers", isThere: site.hasLayers, &reader),
            heads: try set("heads", isThere: site.hasHeads, &reader),
            tokens: try set("tokens", isThere: true, &reader),
            neurons: try set("neurons", isThere: site.hasNeurons, &reader))
        if site.hasLayers, part.layers == nil { throw reader.fail(value.line, "the part lacks its layers") }
        return part
    }

    /// Names are written to the column `site`, so they must be unique and differ from sites.
    private func checkNames(_ lines: [Int], _ reader: inout YAMLReader) throws(SpecError) {
        var seen: Set<String> = []
        for (patch, line) in zip(patches, lines) {
            if (try? SweepSpec.sites(patch.name)) != nil {
                throw reader.fail(line, "the patch \"\(patch.name)\" has the name of a site; choose another")
            }
            guard seen.insert(patch.name).inserted else {
                throw reader.fail(line, "there are two patches \"\(patch.name)\"")
            }
        }
    }
}
