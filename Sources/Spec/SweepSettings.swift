import Images
import Patch

/// What a sweep computes, checked as far as that goes without its model, with the defaults applied.
package struct SweepSettings: Sendable, Equatable {
    /// Folders; nil: the demo's model and images, no donor
    package var model: String?, donor: String?, data: String?
    package var corruptions: [Corruption]
    /// Random places for every size of patch that covers several places
    package var control: Int
    package var target: Target
    package var keep: Keep
    /// At most so many images; nil: all
    package var limit: Int?
    package var offset: Int
    package var seed: UInt64
    package var samples: Int
    package var shard: Shard?

    /// The I-th of N equal parts of the images
    package struct Shard: Sendable, Equatable, CustomStringConvertible {
        package var index: Int, count: Int
        package var description: String { "\(index)/\(count)" }
    }
}

extension SweepOptions {
    /// Checks all that can be checked without the model.
    package func settings() throws(SpecError) -> SweepSettings {
        _ = try sites()
        return SweepSettings(
            model: text(.model), donor: text(.donor), data: text(.data), corruptions: try corruptions(),
            control: try wholes(.control, 0...1000, "0 to 1000")?.first ?? 0, target: try choice(.target, Target.self),
            keep: try choice(.keep, Keep.self),
            limit: try wholes(.limit, 1...Int.max, "at least 1")?.first,
            offset: try wholes(.offset, 0...Int.max, "at least 0")?.first ?? 0,
            seed: try wholes(.seed, 0...UInt64.max, "0 to \(UInt64.max)")?.first ?? 0,
            samples: try wholes(.samples, 1...10_000, "1 to 10000")?.first ?? 1, shard: try shard())
    }

    /// What is patched, without the patches spelled out, which need the model.
    func sites() throws(SpecError) -> SweepSpec {
        var spec = SweepSpec()
        spec.direction = try (written(.direction) ?? []).map { (item) throws(SpecError) in
            try item.choice(Direction.self)
        }
        if written(.site)?.isEmpty == true, places.isEmpty, patches.isEmpty {
            throw SpecError("nothing to patch: site is empty, and places and patches too")
        }
        let own = try Self.places { written($0) }
        (spec.site, spec.window, spec.layers) = (own.site, own.window, own.layers)
        (spec.heads, spec.tokens, spec.neurons) = (own.heads, own.tokens, own.neurons)
        spec.places = try places.map { (values) throws(SpecError) in
            try Self.places { Self.written($0, values) }
        }
        spec.patchWith = try choice(.patchWith, PatchWith.self)
        return spec
    }

    private static func places(_ written: (SweepKey) -> [Written]?) throws(SpecError) -> SweepSpec.Places {
        func joined(_ key: SweepKey) -> String? { written(key).map(Self.joined) }
        var places = SweepSpec.Places(
            site: try (written(.site) ?? []).map { (item) throws(SpecError) in
                do { _ = try SweepSpec.parse(item.text, option: item.label) } catch { throw SpecError("\(error)") }
                return item.text
            })
        places.window = try wholes(written(.window), 1...1_000_000, "1 to 1000000")
        places.layers = joined(.layers)
        places.heads = joined(.heads) ?? places.heads
        places.tokens = joined(.tokens) ?? places.tokens
        places.neurons = joined(.neurons)
        return places
    }

    private func text(_ key: SweepKey) -> String? { written(key)?.first?.text }

    static func joined(_ items: [Written]) -> String { items.map(\.text).joined(separator: ",") }

    private func corruptions() throws(SpecError) -> [Corruption] {
        var all: [Corruption] = []
        for item in written(.corruption) ?? [] {
            let list: [Corruption]
            do { list = try Corruption.list(spec: item.text) } catch { throw SpecError("\(item.place)\(error)") }
            for corruption in list {
                if all.contains(corruption) { throw SpecError("\(item.label) \(corruption.spec) is given twice") }
                all.append(corruption)
            }
        }
        return all
    }

    private func choice<Value: RawRepresentable & CaseIterable>(
        _ key: SweepKey, _: Value.Type
    ) throws(SpecError) -> Value where Value.RawValue == String {
        try (written(key)?.first ?? Written(text: "", name: key.rawValue)).choice(Value.self)
    }

    private func wholes<Value: FixedWidthInteger>(
        _ key: SweepKey, _ range: ClosedRange<Value>, _ expected: String
    ) throws(SpecError) -> [Value]? {
        try Self.wholes(written(key), range, expected)
    }

    private static func wholes<Value: FixedWidthInteger>(
        _ items: [Written]?, _ range: ClosedRange<Value>, _ expected: String
    ) throws(SpecError) -> [Value]? {
        try items?.map { (item) throws(SpecError) in
            guard let value = Value(item.text), range.contains(value) else {
                throw SpecError("\(item.label) \(item.text): expected \(expected)")
            }
            return value
        }
    }

    private func shard() throws(SpecError) -> SweepSettings.Shard? {
        guard let item = written(.shard)?.first else { return nil }
        let parts = item.text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, let index = parts[0], let count = parts[1], count > 0, (0..<count).contains(index)
        else {
            throw SpecError("\(item.label) \(item.text): write I/N with I from 0 to N - 1, e.g. 0/4")
        }
        return .init(index: index, count: count)
    }
}

extension Written {
    func choice<Value: RawRepresentable & CaseIterable>(
        _: Value.Type
    ) throws(SpecError) -> Value where Value.RawValue == String {
        guard let value = Value(rawValue: text) else {
            throw SpecError(
                "\(label) \(text) is unknown; valid are "
                    + Value.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return value
    }
}
