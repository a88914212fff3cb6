/// A kind of corruption: its syntax, where it acts, and what it does.
protocol CorruptionKind: Sendable {
    /// The part of the spec before the colon
    static var name: String { get }
    /// Syntax of the spec, for lists of all kinds: `blur:SIGMA`
    static var forms: [String] { get }
    /// A complete spec, for the message about a missing value: `blur:2`
    static var example: String { get }
    /// The values accepted, for messages; nil where the kind takes none
    static var expected: String? { get }
    /// The default value; nil where a value is required
    static var plain: String? { get }
    /// Whether a value is a path, taken whole with its commas
    static func isPath(_ value: String) -> Bool

    /// Parses the value after the colon (empty where the kind takes none); nil if it is not valid.
    init?(value: String)
    /// The value in its canonical spelling
    var value: String { get }

    var stage: Corruption.Stage { get }
    /// Whether it depends on the seed and the sample
    var isRandom: Bool { get }
    /// For kinds at stage `device`
    var embeddingNoise: EmbeddingNoise? { get }

    /// Reads the files and images that the corruption needs besides the image itself.
    /// - Throws: ``ImageError``, naming the file or size at fault.
    func prepare(_ setting: CorruptionSetting) throws -> CorruptionWork
}

extension CorruptionKind {
    static var forms: [String] { [name] }
    static var example: String { name }
    static var expected: String? { nil }
    static var plain: String? { nil }
    static func isPath(_ value: String) -> Bool { false }
    var value: String { "" }
    var isRandom: Bool { false }
    var embeddingNoise: EmbeddingNoise? { nil }
    var spec: String { Corruption(kind: self).spec }
}

/// Inputs of ``CorruptionKind/prepare(_:)``.
struct CorruptionSetting {
    /// All images of `--data`
    let dataset: ImageDataset
    let preprocessor: Preprocessor
    let grid: PatchGrid
    /// Called with the number of images read and of all
    let progress: (_ done: Int, _ of: Int) -> Void
}

/// How a corruption changes one image.
enum CorruptionWork: Sendable {
    /// Leaves pixels unchanged
    case keep
    /// Changes source pixels
    case pixels(@Sendable (CorruptionDraw) throws -> RGBImage)
    /// Changes the preprocessed image, [3, height, width]
    case input(@Sendable (_ clean: [Float], CorruptionDraw) throws -> [Float])
}

/// One image and one random draw for it.
struct CorruptionDraw: Sendable {
    /// The source image
    let image: RGBImage
    /// Its index in the data set
    let index: Int
    let id: String
    let seed: UInt64
    /// The number of the draw, from 0
    let sample: Int

    func key(_ purpose: RandomKey.Purpose) -> RandomKey {
        RandomKey(seed: seed, imageID: id, sample: sample, purpose: purpose)
    }
}

/// Parses a number of a spec; nil outside the range or with a minus sign.
func number(_ text: String, in range: ClosedRange<Double>) -> Double? {
    Double(text).flatMap { range.contains($0) && $0.sign == .plus ? $0 : nil }
}

/// The shortest spelling: 2, 0.5, 1e-05
func spelled(_ number: Double) -> String {
    Int(exactly: number).map(String.init) ?? String(number)
}
