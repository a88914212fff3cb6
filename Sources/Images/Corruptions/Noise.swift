/// `noise:K`: normal noise of K standard deviations, which the device adds to the patch embeddings
struct Noise: CorruptionKind {
    static let name = "noise"
    static let forms = ["noise:K"]
    static let example = "noise:3"
    static let expected: String? = "a number of standard deviations from 0 to \(spelled(maxStrength))"
    private static let maxStrength = 1000.0

    let strength: Double
    let stage = Corruption.Stage.device
    let isRandom = true

    init?(value: String) {
        guard let strength = number(value, in: 0...Self.maxStrength) else { return nil }
        self.strength = strength
    }

    var value: String { spelled(strength) }
    var embeddingNoise: EmbeddingNoise? { EmbeddingNoise(strength: strength) }

    func prepare(_ setting: CorruptionSetting) throws -> CorruptionWork { .keep }
}
