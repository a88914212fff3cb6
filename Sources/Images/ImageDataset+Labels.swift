extension ImageDataset {
    /// Which model label each class of the data stands for.
    ///
    /// By name if all class names are among the labels; if none is and the counts agree, class i is label i, with a
    /// warning to print.
    ///
    /// - Parameter modelLabels: the model's label names by index.
    /// - Returns: `map`, [classes], indices into `modelLabels`.
    /// - Throws: ``ImageError/labels(_:)``, showing both lists, otherwise.
    package func labelIndices(modelLabels: [String]) throws -> (map: [Int], warning: String?) {
        // Names are compared as code points: Swift's == would take two spellings of one accent for the same name.
        var indices: [[UInt8]: [Int]] = [:]
        for (i, label) in modelLabels.enumerated() { indices[Array(label.utf8), default: []].append(i) }
        let found = classNames.map { indices[Array($0.utf8)] ?? [] }

        if let c = found.firstIndex(where: { $0.count > 1 }) {
            let places = found[c].map(String.init).joined(separator: " and ")
            throw ImageError.labels(
                "The class '\(classNames[c])' of \(name) is the name of the model's labels \(places).")
        }
        let matched = found.filter { !$0.isEmpty }.count
        if matched == classNames.count { return (found.flatMap { $0 }, nil) }
        if matched == 0 && classNames.count == modelLabels.count {
            let warning =
                "No class name of \(name) is among the model's labels; the \(classNames.count) classes are taken in sorted "
                + "order ('\(classNames.first ?? "")' as '\(modelLabels.first ?? "")', and so on)."
            return (Array(classNames.indices), warning)
        }
        throw ImageError.labels(
            "Only \(matched) of the \(classNames.count) classes of \(name) are among the model's \(modelLabels.count) labels: "
                + "the data has \(shortened(classNames)); the model has \(shortened(modelLabels)).")
    }
}

private func shortened(_ names: [String]) -> String {
    let shown = names.prefix(20).joined(separator: ", ")
    return names.count > 20 ? shown + ", ... (\(names.count) in all)" : shown
}
