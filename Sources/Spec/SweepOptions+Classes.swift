// Classes that options name: the target and the foil.
extension SweepOptions {
    /// The class whose probability is tracked, in a model of these classes.
    package func target(among labels: [String]) throws(SpecError) -> Target {
        guard let item = written(.target)?.first else { return .label }
        switch item.text {
        case "label": return .label
        case "clean": return .clean
        default: return .index(try item.classIndex(among: labels, or: Target.words))
        }
    }

    /// The class that the target is compared with.
    /// - Parameter hasColumn: whether the data names one for each image
    package func foil(among labels: [String], hasColumn: Bool = false) throws(SpecError) -> Foil {
        guard let item = written(.foil)?.first else { return hasColumn ? .column : .pooled }
        switch item.text {
        case "pooled": return .pooled
        case "clean": return .clean
        case "corrupted": return .corrupted
        default:
            let index = try item.classIndex(among: labels, or: Foil.words)
            if try target(among: labels) == .index(index) {
                throw item.fail("it is the target; expected another class")
            }
            return .index(index)
        }
    }
}

extension Written {
    /// The model's class that this index or name gives.
    func classIndex(among labels: [String], or words: [String]) throws(SpecError) -> Int {
        if let first = labels.firstIndex(of: text) {
            if labels.lastIndex(of: text) == first { return first }
            throw fail("the model has several classes of this name; give the index of one, e.g. \(first)")
        }
        guard let index = Int(text), labels.indices.contains(index) else {
            throw fail(
                "expected \(words.joined(separator: ", ")), a class of the model or its index, 0-\(labels.count - 1)")
        }
        return index
    }
}
