import Results

/// One corruption's effects on the target's probability by a group of images, e.g. for a study of bias.
package struct GroupStatistics: Sendable, Equatable {
    /// A mean with its 95% BCa interval; nan limits for fewer than `fewestImages` images on a side
    package struct Mean: Sendable, Equatable {
        package var mean: Double, low: Double, high: Double

        package var excludesZero: Bool { low > 0 || high < 0 }
    }

    package struct Value: Sendable, Equatable {
        package var value: String
        /// Number of images
        package var n: Int
        package var effect: Mean
        /// This group's mean - the mean of all other groups' images; the two are resampled independently. nil if there
        /// is only one group.
        package var difference: Mean?
    }

    package struct Row: Sendable, Equatable {
        /// nil: the total effect, p(clean) - p(corrupted)
        package var record: PatchRecord?
        /// Groups in their order: numbers by value, else by code points
        package var values: [Value]
    }

    package var corruption: String
    package var column: String
    /// The total effect, then every patch
    package var rows: [Row]
}

/// Effects by group for every corruption, over images that are complete and in a group. A group resamples its own
/// images (unpaired), so groups of different sizes can be compared.
///
/// - Parameter bootstrap: its seed is the sweep's unless given
package func groupStatistics(
    of store: ResultsStore, by groups: ImageGroups, bootstrap: Bootstrap? = nil
) throws -> [GroupStatistics] {
    let bootstrap = bootstrap ?? Bootstrap(seed: store.manifest.seed)
    return try store.manifest.corruptions.enumerated().map { corruption, spec in
        let images = try store.completeImages(corruption: corruption).filter { groups[$0.image] != nil }
        let members = Members(images.map { groups[$0.image] ?? "" }, bootstrap: bootstrap)
        let totals = images.map { Double($0.clean.p) - Double($0.corrupted.p) }
        var rows = members.statistics(totals, columns: 1).map { GroupStatistics.Row(record: nil, values: $0) }
        let places = try store.ownExactPatches(), patches = places.map { store.manifest.patches[$0] }
        let perBlock = max(1, min(256, 4_000_000 / max(1, images.count)))
        for start in stride(from: 0, to: patches.count, by: perBlock) {
            let block = start..<min(start + perBlock, patches.count)
            var values = [Double](repeating: .nan, count: images.count * block.count)  // [images, block]
            let columns = Dictionary(uniqueKeysWithValues: block.map { (places[$0], $0 - start) })
            let range = places[start]..<places[block.upperBound - 1] + 1
            try store.forEachEffect(corruption: corruption, images: images, patches: range) { row, offset, patched in
                guard let column = columns[range.lowerBound + offset] else { return }
                let base = patches[start + column].direction == "noise" ? images[row].clean : images[row].corrupted
                values[row * block.count + column] = Double(patched.p) - Double(base.p)
            }
            rows += zip(block, members.statistics(values, columns: block.count)).map {
                GroupStatistics.Row(record: patches[$0], values: $1)
            }
        }
        return GroupStatistics(corruption: spec, column: groups.column, rows: rows)
    }
}

/// The rows of each group, and their bootstrap.
private struct Members {
    let values: [String]
    let rows: [[Int]]  // of each value
    let bootstrap: Bootstrap

    /// - Parameter groups: of each row
    init(_ groups: [String], bootstrap: Bootstrap) {
        let members = Dictionary(grouping: groups.indices) { groups[$0] }
        values = members.keys.sorted { a, b in
            if let a = Double(a), let b = Double(b), a != b { return a < b }
            return a.utf8.lexicographicallyPrecedes(b.utf8)
        }
        rows = values.map { members[$0] ?? [] }
        self.bootstrap = bootstrap
    }

    /// - Parameter effects: [rows, columns]
    /// - Returns: [columns][groups]
    func statistics(_ effects: [Double], columns: Int) -> [[GroupStatistics.Value]] {
        var result = Array(repeating: [GroupStatistics.Value](), count: columns)
        // With two groups, each is the other's rest, so their resamples are shared.
        let two = rows.count == 2 ? rows.enumerated().map { resampled(effects, columns, $1, stream: $0) } : nil
        for (index, value) in values.enumerated() {
            let own = two?[index] ?? resampled(effects, columns, rows[index], stream: index)
            let rest: Sample? =
                if rows.count < 2 { nil } else if let two { two[1 - index] } else {
                    resampled(
                        effects, columns, rows.indices.filter { $0 != index }.flatMap { rows[$0] },
                        stream: rows.count + index)
                }
            for column in 0..<columns {
                result[column].append(
                    GroupStatistics.Value(
                        value: value, n: rows[index].count,
                        effect: mean(own.means[column], [own.influence(column)], own.resamples(column)),
                        difference: rest.map { rest in
                            mean(
                                own.means[column] - rest.means[column],
                                [own.influence(column), rest.influence(column).map(-)],
                                zip(own.resamples(column), rest.resamples(column)).map(-))
                        }))
            }
        }
        return result
    }

    private struct Sample {
        var values: [Double]  // [rows, columns]
        var means: [Double]  // [columns]
        var all: [Double]  // [columns, resamples]
        func resamples(_ column: Int) -> ArraySlice<Double> {
            let count = all.count / max(means.count, 1)
            return all[column * count..<(column + 1) * count]
        }
        /// The influence of the rows on the mean
        func influence(_ column: Int) -> [Double] {
            stride(from: column, to: values.count, by: means.count).map { values[$0] - means[column] }
        }
    }

    private func resampled(_ effects: [Double], _ columns: Int, _ rows: [Int], stream: Int) -> Sample {
        let values = rows.flatMap { effects[$0 * columns..<($0 + 1) * columns] }
        var own = bootstrap
        // Otherwise groups of the same size would draw the same rows.
        own.seed = CounterRandom(seed: bootstrap.seed, stream: .max)[stream]
        return Sample(
            values: values,
            means: (0..<columns).map { column in
                stride(from: column, to: values.count, by: columns).reduce(0) { $0 + values[$1] } / Double(rows.count)
            }, all: own.means(values, rows: rows.count, columns: columns))
    }

    private func mean(
        _ mean: Double, _ influence: [[Double]], _ resamples: some Sequence<Double>
    ) -> GroupStatistics.Mean {
        guard mean.isFinite else { return GroupStatistics.Mean(mean: mean, low: .nan, high: .nan) }
        let (low, high) = interval(influence: influence, estimate: mean, resampled: resamples.sorted())
        return GroupStatistics.Mean(mean: mean, low: low, high: high)
    }
}
