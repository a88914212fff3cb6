/// A kind of corruption: how it is written, where it acts, and what it does.
protocol CorruptionKind: Sendable {
    /// The part of the spec before the colon
    static var name: String { get }
    /// How the spec may be written, for lists of all kinds: `blur:SIGMA`
    static var forms: [String] { get }
    /// A spec, for a message about a missing value: `blur:2`
    static var example: String { get }
    /// What a value must be, for messages; nil where the kind takes none
    static var expected: String? { get }
    /// The value that a missing one stands for; nil where a value must be given
    static var plain: String? { get }
    /// Whether a value is a path: taken whole, commas included
    static func isPath(_ value: String) -> Bool

    /// The value after the colon (empty where the kind takes none); nil for one that is not valid.
    init?(value: String)
    /// The value in its one spelling
    var value: String { get }

    var stage: Corruption.Stage { get }
    /// Whether it depends on seed and sample
    var isRandom: Bool { get }
    /// For kinds of stage `device`
    var embeddingNoise: EmbeddingNoise? { get }

    /// Reads what the corruption needs beyond an image.
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

/// What a corruption may draw on when it is made ready.
struct CorruptionSetting {
    /// All of `--data`
    let dataset: ImageDataset
    let preprocessor: Preprocessor
    let grid: PatchGrid
    /// Called with the number of images read and of all
    let progress: (_ done: Int, _ of: Int) -> Void
}

/// What a corruption does with one image.
enum CorruptionWork: Sendable {
    /// Leaves pixels alone
    case keep
    /// Changes source pixels
    case pixels(@Sendable (CorruptionDraw) throws -> RGBImage)
    /// Changes the preprocessed image, [3, S, S]
    case input(@Sendable (_ clean: [Float], CorruptionDraw) throws -> [Float])
}

/// One image, and one draw of the random numbers for it.
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

/// A number in a range without a minus sign, from a spec.
func number(_ text: String, in range: ClosedRange<Double>) -> Double? {
    Double(text).flatMap { range.contains($0) && $0.sign == .plus ? $0 : nil }
}

/// 2, 0.5, 1e-05
func spelled(_ number: Double) -> String {
    Int(exactly: number).map(String.init) ?? String(number)
}
