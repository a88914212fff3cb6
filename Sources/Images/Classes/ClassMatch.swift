import Foundation

/// The model label of each class of the data, and how it was found.
package struct ClassMatch: Sendable, Equatable {
    package enum Rule: Sendable, Equatable {
        /// By name, or by the `--class-map` file
        case names
        /// The model's labels are placeholders (LABEL_0 ...), so classes are matched by position
        case order
    }

    package let rule: Rule
    /// Class of the data -> label of the model
    package let map: [Int]
    /// `'Cat' is 3 'cat'`, for each class whose name differs from its label's
    package let lines: [String]

    /// Shown before anything is computed with the match; nil where every class name equals its label's.
    package var warning: String? {
        if lines.isEmpty { return nil }
        let intro =
            rule == .order
            ? "The model's labels are placeholders, so classes are matched by position: "
            : "Classes matched to labels of another spelling: "
        return intro + lines.joined(separator: ", ") + "."
    }
}

extension ImageDataset {
    /// Maps each class of the data to a label of the model.
    ///
    /// The rules are tried in this order: `classMap`; the same name; a label equal up to case, underscores, hyphens,
    /// spaces and Unicode form, or whose first synonym (before a comma) is; a WordNet id, if the model's labels are
    /// ImageNet's; a number, as a label index. Classes are matched by position, as torchvision's ImageFolder does, only
    /// if all labels of the model are transformers' placeholders LABEL_0, LABEL_1 ...
    ///
    /// - Parameter modelLabels: the model's label names by index.
    /// - Throws: ``ImageError/labels(_:)`` naming classes without a label, names that fit twice and shared labels.
    package func labelIndices(modelLabels: [String], classMap: ClassMap? = nil) throws -> ClassMatch {
        let labels = LabelNames(modelLabels)
        var map: [Int?] = []
        for className in classNames {
            if let target = classMap?.labels[className] {
                map.append(try labels.index(of: target, className: className, in: classMap?.name ?? ""))
            } else {
                map.append(try labels.match(className, data: name))
            }
        }
        var rule = ClassMatch.Rule.names
        if labels.arePlaceholders, map.contains(nil) {
            rule = .order
            map = try inOrder(modelLabels).map { $0 }
        }
        let missing = zip(classNames, map).filter { $1 == nil }.map { "'\($0.0)'" }
        guard missing.isEmpty else {
            throw ImageError.labels(
                "\(missing.count) of the \(classNames.count) classes of \(name) are not among the model's "
                    + "\(modelLabels.count) labels: \(missing.joined(separator: ", ")); the model has "
                    + "\(shortened(modelLabels)). Match them with --class-map FILE.")
        }
        let found = map.compactMap { $0 }
        var classOf: [Int: String] = [:]
        for (className, label) in zip(classNames, found) {
            if let other = classOf.updateValue(className, forKey: label), classMap == nil {
                throw ImageError.labels(
                    "The classes '\(other)' and '\(className)' of \(name) both match the model's label \(label), "
                        + "'\(modelLabels[label])'. Match them with --class-map FILE.")
            }
        }
        let lines = zip(classNames, found).filter { !$0.utf8.elementsEqual(modelLabels[$1].utf8) }
            .map { "'\($0)' is \($1) '\(modelLabels[$1])'" }
        return ClassMatch(rule: rule, map: found, lines: lines)
    }

    /// Model labels given by a further column of a CSV file, one for each image: by name, as for classes, or by index;
    /// nil where the value is empty.
    ///
    /// - Throws: ``ImageError/labels(_:)`` for the first value that is not a label
    package func labels(inColumn column: String, modelLabels: [String]) throws -> [Int?]? {
        guard let values = columns[column] else { return nil }
        let labels = LabelNames(modelLabels)
        var known: [String: Int] = [:]
        return try values.enumerated().map { row, value in
            if value.isEmpty { return nil }
            if let index = known[value] { return index }
            guard let index = try labels.match(value, data: "the column \(column)") ?? Int(value),
                modelLabels.indices.contains(index)
            else {
                throw ImageError.labels(
                    "\(name): row \(row + 1) has '\(value)' in the column \(column), which is neither one of the model's "
                        + "labels nor an index from 0 to \(modelLabels.count - 1).")
            }
            known[value] = index
            return index
        }
    }

    /// Matches classes to labels by position; numbered classes must be in the same order as text and as numbers.
    private func inOrder(_ modelLabels: [String]) throws -> [Int] {
        guard classNames.count == modelLabels.count else {
            throw ImageError.labels(
                "The model's labels are placeholders ('\(modelLabels[0])' ...), and \(name) has \(classNames.count) classes "
                    + "for its \(modelLabels.count) labels, so their order says nothing. Match them with --class-map FILE."
            )
        }
        let numbers = classNames.compactMap { Int($0) }
        if numbers.count == classNames.count, numbers != numbers.sorted() {
            throw ImageError.labels(
                "The model's labels are placeholders, and the numbered classes of \(name) are in another order as text "
                    + "('10' before '2') than as numbers. Match them with --class-map FILE.")
        }
        return Array(classNames.indices)
    }
}

/// Looks up the model's labels by name.
private struct LabelNames {
    let labels: [String]
    /// Compared as UTF-8 bytes: Swift's == would treat two spellings of one accent as the same name.
    private var exact: [[UInt8]: [Int]] = [:]
    private var loose: [String: Set<Int>] = [:]
    private let synsets: [Substring: Int]

    init(_ labels: [String]) {
        self.labels = labels
        for (i, label) in labels.enumerated() {
            exact[Array(label.utf8), default: []].append(i)
            for name in [label, String(label.prefix { $0 != "," })] { loose[looseForm(name), default: []].insert(i) }
        }
        let isImageNet =
            labels.count == 1000
            && [(0, "tench"), (1, "goldfish"), (999, "toilet tissue")].allSatisfy { labels[$0.0].hasPrefix($0.1) }
        synsets = isImageNet ? Dictionary(uniqueKeysWithValues: zip(imageNetSynsets, 0...)) : [:]
    }

    var arePlaceholders: Bool { labels.enumerated().allSatisfy { $1 == "LABEL_\($0)" } }

    /// nil where no label fits
    func match(_ name: String, data: String) throws -> Int? {
        func one(_ found: [Int]) throws -> Int {
            guard found.count == 1 else {
                let places = found.map(String.init).joined(separator: " and ")
                throw ImageError.labels("The class '\(name)' of \(data) matches the model's labels \(places).")
            }
            return found[0]
        }
        if let found = exact[Array(name.utf8)] { return try one(found) }
        if let found = loose[looseForm(name)] { return try one(found.sorted()) }
        if let synset = synsets[name[...]] { return synset }
        if !arePlaceholders, let number = Int(name), labels.indices.contains(number) { return number }
        return nil
    }

    /// A class map's target: a label's name, or its index
    func index(of target: String, className: String, in file: String) throws -> Int {
        if let found = exact[Array(target.utf8)], found.count == 1 { return found[0] }
        if let number = Int(target), labels.indices.contains(number) { return number }
        throw ImageError.labels(
            "\(file): '\(target)', given for the class '\(className)', is neither one of the model's labels nor an index "
                + "from 0 to \(labels.count - 1).")
    }
}

/// Without case, underscores, hyphens and spaces, in Unicode form NFKC
private func looseForm(_ name: String) -> String {
    name.precomposedStringWithCompatibilityMapping.lowercased().filter { !"_- ".contains($0) }
}

private func shortened(_ names: [String]) -> String {
    let shown = names.prefix(20).map { "'\($0)'" }.joined(separator: ", ")
    return names.count > 20 ? shown + ", ... (\(names.count) in all)" : shown
}
