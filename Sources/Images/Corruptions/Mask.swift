/// `mask:FRACTION`: zeroes a random fraction of the model's patches after normalisation. With the same seed, the
/// patches of a smaller fraction are a subset of those of a larger one.
///
/// `mask:FILE`: zeroes the patches that are dark in an image file.
struct Mask: CorruptionKind {
    private enum Patches {
        case random(share: Double)
        case dark(path: String)
    }

    static let name = "mask"
    static let forms = ["mask:FRACTION", "mask:FILE"]
    static let example = "mask:0.5"
    static let expected: String? = "a fraction from 0 to 1, or an image file"
    static func isPath(_ value: String) -> Bool { isImageName(value) }

    private let patches: Patches
    let stage = Corruption.Stage.tensor

    init?(value: String) {
        if Self.isPath(value) {
            patches = .dark(path: value)
        } else if let share = number(value, in: 0...1) {
            patches = .random(share: share)
        } else {
            return nil
        }
    }

    var value: String {
        switch patches {
        case .random(let share): spelled(share)
        case .dark(let path): path
        }
    }

    var isRandom: Bool { if case .random = patches { true } else { false } }

    func prepare(_ setting: CorruptionSetting) throws -> CorruptionWork {
        let grid = setting.grid
        switch patches {
        case .random(let share):
            let count = Int((share * Double(grid.count)).rounded())
            return .input { clean, draw in
                try grid.zeroing(draw.key(.mask).permutation(grid.count).prefix(count), in: clean)
            }
        case .dark(let path):
            let dark = try grid.dark(in: decodeImage(readFile(path), name: path))
            return .input { clean, _ in try grid.zeroing(dark, in: clean) }
        }
    }
}
