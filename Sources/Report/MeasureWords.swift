import Results

/// The classes that a sweep measures, in words.
enum MeasureWords {
    static func target(_ m: Manifest) -> String {
        m.target == "clean" ? "the class the clean pass predicts" : name(m.target, m) ?? "the image's label"
    }

    static func foil(_ m: Manifest) -> String {
        let other = "the class other than the target with the highest"
        // Versions without `--foil` took it from the corrupted pass.
        return switch m.foil ?? "corrupted" {
        case "pooled" where m.donor == nil: "\(other) mean logit over the clean and the corrupted pass"
        case "pooled", "clean": "\(other) logit in the clean pass"
        case "corrupted": "\(other) logit in the corrupted pass"
        case let index: name(index, m) ?? index
        }
    }

    /// The name of the class with this index; nil if there is none
    private static func name(_ index: String, _ m: Manifest) -> String? {
        Int(index).flatMap { m.classNames.indices.contains($0) ? m.classNames[$0] : nil }
    }
}
