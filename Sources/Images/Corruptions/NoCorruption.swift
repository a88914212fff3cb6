/// `none`: the clean image
struct NoCorruption: CorruptionKind {
    static let name = "none"
    let stage = Corruption.Stage.none

    init() {}
    init?(value: String) {}

    func prepare(_ setting: CorruptionSetting) throws -> CorruptionWork { .keep }
}
