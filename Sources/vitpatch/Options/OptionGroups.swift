import ArgumentParser
import Spec

/// Flags that are keys of a sweep.
protocol SweepFlags {
    var texts: [(SweepKey, [String])] { get }
}

extension SweepOptions {
    /// The flags that were given.
    init(_ groups: any SweepFlags...) {
        self.init()
        for group in groups {
            for (key, texts) in group.texts { set(flag: key, texts) }
        }
    }
}

/// The model, the data, and the choice of images.
struct InputOptions: ParsableArguments, SweepFlags {
    @Option(.model) var model: String?
    @Option(.imageSize) var imageSize: String?
    @Option(.classes) var classes: String?
    @Option(.data) var data: String?
    @Option(.classMap) var classMap: String?
    @Option(.resize) var resize: String?
    @Option(.exif) var exif: String?
    @Option(.limit) var limit: String?
    @Option(.offset) var offset: String?
    @Option(.seed) var seed: String?

    var texts: [(SweepKey, [String])] {
        [
            (.model, one(model)), (.imageSize, one(imageSize)), (.classes, one(classes)), (.data, one(data)),
            (.classMap, one(classMap)), (.resize, one(resize)),
            (.exif, one(exif)),
            (.limit, one(limit)), (.offset, one(offset)), (.seed, one(seed)),
        ]
    }
}

/// The treatment of images that cannot be read.
struct UnreadableOptions: ParsableArguments {
    @Flag(help: "Leave out images that cannot be read; they are named on standard error and counted.")
    var skipUnreadable = false

    /// nil: such an image ends the command
    var skipped: SkippedImages? { skipUnreadable ? SkippedImages() : nil }
}

/// The places that are patched, and the direction.
struct PlaceOptions: ParsableArguments, SweepFlags {
    @Option(.direction) var direction: [String] = []
    @Option(.site) var site: [String] = []
    @Option(.layers) var layers: String?
    @Option(.heads) var heads: String?
    @Option(.tokens) var tokens: String?

    var texts: [(SweepKey, [String])] {
        [
            (.direction, direction), (.site, site), (.layers, one(layers)), (.heads, one(heads)),
            (.tokens, one(tokens)),
        ]
    }
}

/// The estimates from gradients, and what gets exact passes besides.
struct EstimateOptions: ParsableArguments, SweepFlags {
    @Option(.estimate) var estimate: [String] = []
    @Option(.estimateOf) var estimateOf: [String] = []
    @Option(.exact) var exact: String?
    @Option(.exactImages) var exactImages: String?

    var texts: [(SweepKey, [String])] {
        [
            (.estimate, estimate), (.estimateOf, estimateOf), (.exact, one(exact)), (.exactImages, one(exactImages)),
        ]
    }
}

/// The measured classes, the images included, and the noise draws.
struct MeasureOptions: ParsableArguments, SweepFlags {
    @Option(.target) var target: String?
    @Option(.foil) var foil: String?
    @Option(.keep) var keep: String?
    @Option(.samples) var samples: String?
    @Option(.noiseSD) var noiseSD: String?

    var texts: [(SweepKey, [String])] {
        [
            (.target, one(target)), (.foil, one(foil)), (.keep, one(keep)), (.samples, one(samples)),
            (.noiseSD, one(noiseSD)),
        ]
    }
}

/// The device and the memory of a command.
struct RunOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Most memory to use, of each device, in bytes or with K, M, G or T (powers of 1024), e.g. 4G.",
            valueName: "size"))
    var memory: String?

    @OptionGroup var device: DeviceOptions

    func validate() throws { _ = try memoryBytes() }

    func memoryBytes() throws -> Int? { try memory.map { try OptionText.bytes($0, option: "--memory") } }
}

func one(_ text: String?) -> [String] { text.map { [$0] } ?? [] }

/// Parsing that several options share.
enum OptionText {
    /// Bytes of a SIZE: `4G`, `512M`, `1.5g`, plain bytes. Powers of 1024.
    static func bytes(_ text: String, option: String) throws -> Int {
        let units: [Character: Double] = ["k": 0x1p10, "m": 0x1p20, "g": 0x1p30, "t": 0x1p40]
        var digits = text.lowercased()
        if digits.hasSuffix("ib") { digits.removeLast(2) } else if digits.hasSuffix("b") { digits.removeLast() }
        var scale = 1.0
        if let last = digits.last, let unit = units[last] {
            scale = unit
            digits.removeLast()
        }
        guard let value = Double(digits), value > 0, value * scale < 1e18 else {
            throw UsageError("\(option) \(text) is not a size; write e.g. 4G or 512M")
        }
        return Int(value * scale)
    }

    /// Indices of the images that `--offset` and `--limit` select, in the data's order.
    static func images(_ settings: SweepSettings, count: Int) throws -> Range<Int> {
        let offset = settings.offset
        guard offset < count else {
            throw UsageError("--offset \(offset): the data has only \(count) images")
        }
        return offset..<(settings.limit.map { $0 < count - offset ? offset + $0 : count } ?? count)
    }

    /// Throws for a name that is given but empty.
    static func check(_ option: String, name: String?) throws {
        if name == "" { throw UsageError("\(option) '': the name is empty") }
    }
}
