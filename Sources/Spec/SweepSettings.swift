import Formats
import Images
import Patch

/// A sweep's settings with the defaults applied, checked as far as possible without the model.
package struct SweepSettings: Sendable, Equatable {
    /// Folders; nil: the demo's model and images, no donor
    package var model: String?, donor: String?, data: String?
    /// The size of the images that the model reads; nil: the model's own
    package var imageSize: PixelSize?
    /// A file of class texts; nil: the model's classifier
    package var classes: String?
    /// The file of `--patch-with file:`
    package var patchFile: String?
    /// A CSV file with the model's label for each class of the data; nil: matched by name
    package var classMap: String?
    /// The library whose resizing is reproduced; nil: that of the model's image processor
    package var resize: ResizeLibrary?
    package var exif = EXIFOrientation.ignore
    package var corruptions: [Corruption]
    /// The number of random places for every extent of several places
    package var control: Int
    /// The methods of estimates, and the metrics that they estimate; no methods: no estimates
    package var estimates: [EstimateMethod]
    package var estimateOf: [EstimateMetric]
    /// Which patches get exact passes
    package var exact: Exact
    /// The number of images with exact passes, drawn by the seed; nil: all
    package var exactImages: Int?
    /// The places that are also patched in pairs
    package var pairs: Pairs
    /// The number of orders for Shapley values; 0: none
    package var shapley: Int
    package var keep: Keep
    /// At most this many images; nil: all
    package var limit: Int?
    package var offset: Int
    package var seed: UInt64
    package var samples: Int
    package var noiseDeviation: NoiseDeviation
    package var partner: Partner
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
        let estimates = try estimates()
        return SweepSettings(
            model: text(.model), donor: text(.donor), data: text(.data),
            imageSize: try imageSize(), classes: text(.classes),
            patchFile: try patchWith().file,
            classMap: text(.classMap),
            resize: try written(.resize)?.first.map { (item) throws(SpecError) in try item.choice(ResizeLibrary.self) },
            exif: try choice(.exif, EXIFOrientation.self),
            corruptions: try corruptions(),
            control: try control(), estimates: estimates.methods, estimateOf: estimates.metrics,
            exact: estimates.exact, exactImages: estimates.exactImages, pairs: try pairs(), shapley: try shapley(),
            keep: try choice(.keep, Keep.self),
            limit: try whole(.limit, 1...Int.max, "at least 1"),
            offset: try whole(.offset, 0...Int.max, "at least 0") ?? 0,
            seed: try whole(.seed, 0...UInt64.max, "0 to \(UInt64.max)") ?? 0,
            samples: try whole(.samples, 1...10_000, "1 to 10000") ?? 1,
            noiseDeviation: try noiseDeviation(), partner: try partner(), shard: try shard())
    }

    /// The places that are patched, without the patches spelled out, which need the model.
    func sites() throws(SpecError) -> SweepSpec {
        var spec = SweepSpec()
        spec.direction = try (written(.direction) ?? []).map { (item) throws(SpecError) in
            try item.choice(Direction.self)
        }
        try once(written(.direction), spec.direction)
        if written(.site)?.isEmpty == true, places.isEmpty, patches.isEmpty {
            throw SpecError("nothing to patch: site is empty, and places and patches too")
        }
        let own = try Self.places { written($0) }
        (spec.site, spec.window, spec.layers) = (own.site, own.window, own.layers)
        (spec.heads, spec.tokens, spec.neurons) = (own.heads, own.tokens, own.neurons)
        spec.places = try places.map { (values) throws(SpecError) in
            try Self.places { Self.written($0, values) }
        }
        spec.patchWith = try patchWith().with
        return spec
    }

    /// The activations patched in, and their file for `file:FILE`.
    private func patchWith() throws(SpecError) -> (with: PatchWith, file: String?) {
        let item = written(.patchWith)?.first ?? Written(text: "", name: SweepKey.patchWith.rawValue)
        let prefix = PatchWith.file.rawValue + ":"
        if item.text == PatchWith.file.rawValue || item.text == prefix {
            throw item.fail("it lacks its file, as in 'file:FILE.safetensors'")
        }
        if item.text.hasPrefix(prefix) { return (.file, String(item.text.dropFirst(prefix.count))) }
        guard let with = PatchWith(spelled: item.text) else {
            let valid = PatchWith.spellings.map { $0 == PatchWith.file.rawValue ? "file:FILE" : $0 }
            throw item.failure("\(item.name) \(item.text) is unknown; valid are \(valid.joined(separator: ", "))")
        }
        return (with, nil)
    }

    /// Throws if the sweep's two passes are the same, as it would measure nothing.
    package func checkPassesDiffer() throws(SpecError) {
        let ablates = try patchWith().with != .other
        guard !ablates, written(.donor) == nil else { return }
        if let item = written(.corruption)?.first(where: { $0.text == "none" }) {
            throw item.fail(
                "the clean and the corrupted pass are the same, so every effect is 0; it goes with --donor or --ablate")
        }
    }

    private static func places(_ written: (SweepKey) -> [Written]?) throws(SpecError) -> SweepSpec.Places {
        func joined(_ key: SweepKey) -> String? { written(key).map(Self.joined) }
        var places = SweepSpec.Places(
            site: try (written(.site) ?? []).map { (item) throws(SpecError) in
                _ = try item.parsed(SweepSpec.sites)
                return item.text
            })
        try once(written(.site), places.site)
        places.window = try wholes(written(.window), 1...1_000_000, "1 to 1000000")
        try once(written(.window), places.window ?? [])
        places.layers = joined(.layers)
        places.heads = joined(.heads) ?? places.heads
        places.tokens = joined(.tokens) ?? places.tokens
        places.neurons = joined(.neurons)
        return places
    }

    func control() throws(SpecError) -> Int { try whole(.control, 0...1000, "0 to 1000") ?? 0 }

    private func imageSize() throws(SpecError) -> PixelSize? {
        guard let item = written(.imageSize)?.first else { return nil }
        guard let size = PixelSize(item.text), 1...16384 ~= size.height, 1...16384 ~= size.width else {
            throw item.fail("expected a number of pixels from 1 to 16384, or HEIGHTxWIDTH")
        }
        return size
    }

    private func text(_ key: SweepKey) -> String? { written(key)?.first?.text }

    static func joined(_ items: [Written]) -> String { items.map(\.text).joined(separator: ",") }

    /// Throws for a value that is given twice.
    /// - Parameter values: the parsed values of the items
    private func once<Value: Hashable>(_ items: [Written]?, _ values: [Value]) throws(SpecError) {
        try Self.once(items, values)
    }

    static func once<Value: Hashable>(_ items: [Written]?, _ values: [Value]) throws(SpecError) {
        var seen: Set<Value> = []
        for (item, value) in zip(items ?? [], values) where !seen.insert(value).inserted {
            throw item.failure("\(item.name) \(item.text) is given twice")
        }
    }

    private func corruptions() throws(SpecError) -> [Corruption] {
        var all: [Corruption] = []
        for item in written(.corruption) ?? [] {
            let list: [Corruption]
            do { list = try Corruption.list(spec: item.text) } catch {
                guard case ImageError.corruption(let spec, let reason) = error else { throw item.fail("\(error)") }
                throw item.failure("\(item.name) \(spec) \(reason)")
            }
            for corruption in list {
                if corruption.spec == "pair", text(.data)?.lowercased().hasSuffix(".csv") != true {
                    throw SpecError(
                        "\(item.label) pair lacks its folder, as in 'pair:DIR'; only data from a CSV file may go without"
                    )
                }
                if all.contains(corruption) {
                    throw item.failure("\(item.name) \(corruption.spec) is given twice")
                }
                all.append(corruption)
            }
        }
        return all
    }

    private func choice<Value: Choice>(_ key: SweepKey, _: Value.Type) throws(SpecError) -> Value {
        try (written(key)?.first ?? Written(text: "", name: key.rawValue)).choice(Value.self)
    }

    private func noiseDeviation() throws(SpecError) -> NoiseDeviation {
        let deviation = try choice(.noiseSD, NoiseDeviation.self)
        if deviation != .image, try corruptions().allSatisfy({ $0.embeddingNoise == nil }),
            let item = written(.noiseSD)?.first
        {
            throw item.fail("it goes with --corruption noise:K")
        }
        return deviation
    }

    func pairs() throws(SpecError) -> Pairs {
        let item = written(.pairs)?.first ?? Written(text: Pairs.none.description, name: SweepKey.pairs.flag)
        guard let pairs = Pairs(item.text) else {
            throw item.fail("expected none, all or top:K with K from 2 to \(Pairs.mostStrongest), e.g. top:10")
        }
        return pairs
    }

    func shapley() throws(SpecError) -> Int {
        let expected = "0 or an even number to 10000, as every order is run forwards and backwards"
        let orders = try whole(.shapley, 0...10_000, expected) ?? 0
        if orders % 2 == 1, let item = written(.shapley)?.first { throw item.fail("expected " + expected) }
        return orders
    }

    private func partner() throws(SpecError) -> Partner {
        let partner = try choice(.partner, Partner.self)
        if partner != .any, try choice(.patchWith, PatchWith.self) != .resample, let item = written(.partner)?.first {
            throw item.fail("it goes with --patch-with resample")
        }
        return partner
    }

    func whole<Value: FixedWidthInteger>(
        _ key: SweepKey, _ range: ClosedRange<Value>, _ expected: String
    ) throws(SpecError) -> Value? {
        try Self.wholes(written(key), range, expected)?.first
    }

    private static func wholes<Value: FixedWidthInteger>(
        _ items: [Written]?, _ range: ClosedRange<Value>, _ expected: String
    ) throws(SpecError) -> [Value]? {
        try items?.map { (item) throws(SpecError) in
            guard item.text.first != "+", let value = Value(item.text), range.contains(value) else {
                throw item.fail("expected \(expected)")
            }
            return value
        }
    }

    private func shard() throws(SpecError) -> SweepSettings.Shard? {
        guard let item = written(.shard)?.first else { return nil }
        let parts = item.text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, let index = parts[0], let count = parts[1], count > 0, (0..<count).contains(index)
        else {
            throw item.fail("write I/N with I from 0 to N - 1, e.g. 0/4")
        }
        return .init(index: index, count: count)
    }
}

extension Written {
    func choice<Value: Choice>(_: Value.Type) throws(SpecError) -> Value {
        guard let value = Value(spelled: text) else {
            throw failure("\(name) \(text) is unknown; valid are " + Value.spellings.joined(separator: ", "))
        }
        return value
    }
}
