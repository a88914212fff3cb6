import Formats

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Typed access to a file of preprocessing settings: preprocessor_config.json, the member image_processor of
/// processor_config.json, or the member pretrained_cfg of a timm model's config.json.
struct ProcessorFile {
    /// For messages
    let name: String
    private let members: JSONMembers
    /// Whether the keys are timm's
    let isTimm: Bool

    /// - Throws: ``ImageError/preprocessor(name:reason:)``
    init(_ data: Data?, name: String) throws {
        self.name = name
        guard let data else {
            (members, isTimm) = (JSONMembers([:]), false)
            return
        }
        guard let root = JSONMembers(data) else {
            throw ImageError.preprocessor(name: name, reason: "it is not valid JSON, or no object")
        }
        let timm = root["pretrained_cfg"]?.object
        members = (timm ?? root["image_processor"]?.object).map { JSONMembers($0) } ?? root
        isTimm = timm != nil
    }

    func error(_ reason: String) -> ImageError { .preprocessor(name: name, reason: reason) }

    /// nil where the key is absent or null
    private func read<Value>(_ key: String, _ convert: (JSON) -> Value?) throws -> Value? {
        guard let value = members[key], !value.isNull else { return nil }
        guard let converted = convert(value) else { throw error("\(key) has an unexpected type") }
        return converted
    }

    func bool(_ key: String) throws -> Bool? { try read(key, \.bool) }
    func number(_ key: String) throws -> Double? { try read(key, \.number) }
    func string(_ key: String) throws -> String? { try read(key, \.string) }
    func ints(_ key: String) throws -> [Int]? { try read(key, \.ints) }

    /// One number per channel; a single number applies to all three.
    func channels(_ key: String) throws -> [Double]? {
        guard
            let values = try read(
                key,
                {
                    $0.number.map { [$0] }
                        ?? ($0.array.flatMap { all in
                            all.compactMap(\.number).count == all.count ? all.compactMap(\.number) : nil
                        })
                })
        else { return nil }
        guard values.count == 3 || values.count == 1 else {
            throw error("\(key) has \(values.count) values, expected 3")
        }
        return values.count == 3 ? values : Array(repeating: values[0], count: 3)
    }

    enum Size: Equatable {
        case side(Int)
        case keys([String: Int])
    }

    func size(_ key: String) throws -> Size? {
        try read(key) { value in
            if let side = value.int { return .side(side) }
            if let pair = value.ints { return pair.count == 2 ? .keys(["height": pair[0], "width": pair[1]]) : nil }
            guard let object = value.object?.filter({ !$0.value.isNull }) else { return nil }
            let keys = object.compactMapValues(\.int)
            return keys.count == object.count ? .keys(keys) : nil
        }
    }

    /// A filter by Pillow's number or name: 3, "bicubic", "PILImageResampling.BICUBIC"
    func resample(_ key: String) throws -> Resample? {
        guard let text = try read(key, { $0.int.map(String.init) ?? $0.string }) else { return nil }
        let name = text.split(separator: ".").last?.lowercased() ?? ""
        if let filter = Int(text).flatMap(Resample.init(rawValue:))
            ?? Resample.allCases.first(where: { "\($0)" == name })
        {
            return filter
        }
        throw error(
            "\(key) is \(text), expected 0 to 5 or one of \(Resample.allCases.map { "\($0)" }.joined(separator: ", "))")
    }
}
