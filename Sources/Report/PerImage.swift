import Results
import Statistics

/// Statistics that need effects on single images rather than means, all on p.
struct PerImage {
    let store: ResultsStore
    let corruption: Int
    /// The complete images
    let images: [ImageRecord]
    let bootstrap: Bootstrap

    init(store: ResultsStore, corruption: Int, bootstrap: Bootstrap) throws {
        self.store = store
        self.corruption = corruption
        self.bootstrap = bootstrap
        images = try store.completeImages(corruption: corruption)
    }

    /// One patch's effect on every image.
    func effects(_ patch: Int) throws -> [Double] {
        let noise = store.manifest.patches[patch].direction == "noise"
        var values = [Double](repeating: .nan, count: images.count)
        try store.forEachEffect(corruption: corruption, images: images, patches: patch..<patch + 1) { row, _, patched in
            let base = noise ? images[row].clean.p : images[row].corrupted.p
            values[row] = Double(patched.p) - Double(base)
        }
        return values
    }

    /// p(target | patched) of one image for each of the patches.
    func p(image: ImageRecord, patches: [Int]) throws -> [Double] {
        try passes(image: image, patches: patches).map { $0.map { Double($0.p) } ?? .nan }
    }

    /// The patched passes of one image; nil where the store has none.
    func passes(image: ImageRecord, patches: [Int]) throws -> [PassMetrics?] {
        guard let low = patches.min(), let high = patches.max() else { return [] }
        var found = [PassMetrics?](repeating: nil, count: high - low + 1)
        try store.forEachEffect(corruption: corruption, images: [image], patches: low..<high + 1) {
            _, column, patched in
            found[column] = patched
        }
        return patches.map { found[$0 - low] }
    }

    private func statistics(_ columns: [[Double]], rows: Int) -> [EffectStatistics] {
        var values: [Double] = []
        values.reserveCapacity(rows * columns.count)
        for row in 0..<rows { for column in columns { values.append(column[row]) } }
        return summarise(values, rows: rows, total: nil, columns: columns.count, bootstrap)
    }
}

// MARK: - Windows and the sum of their layers

/// A window's effect beside the sum of the effects of its layers patched alone. Sliding windows can exceed the sum
/// (Zhang and Nanda, Towards best practices of activation patching, ICLR 2024, section 5).
struct WindowSum {
    var patch: PatchStatistics
    var sum: EffectStatistics
    /// window - sum, paired over images
    var difference: EffectStatistics
}

extension PerImage {
    /// Windows of more than one layer, all of whose layers were patched alone as well, grouped by window size.
    func windowSums(_ group: PlaceGroup) throws -> [(window: String, sums: [WindowSum])] {
        var singles: [Int: PatchStatistics] = [:]
        for patch in group.patches where patch.record.window == "1" {
            if let layer = Int(patch.record.layer) { singles[layer] = patch }
        }
        var cache: [Int: [Double]] = [:]
        func effects(layer: Int) throws -> [Double]? {
            if let known = cache[layer] { return known }
            guard let single = singles[layer] else { return nil }
            let values = try self.effects(single.patch)
            cache[layer] = values
            return values
        }
        return try group.windows.compactMap { window in
            guard let width = Int(window), width > 1, width < 100_000 else { return nil }
            var chosen: [PatchStatistics] = []
            var columns: [[Double]] = []
            for patch in group.patches where patch.record.window == window {
                guard let centre = Int(patch.record.layer),
                    let layers = windowLayers(centre: centre, width: width, known: singles.keys.max())
                else { continue }
                let parts = try layers.compactMap { try effects(layer: $0) }
                guard parts.count == layers.count, !parts.isEmpty else { continue }
                let sum = images.indices.map { row in parts.reduce(0) { $0 + $1[row] } }
                columns += [sum, zip(try self.effects(patch.patch), sum).map { $0 - $1 }]
                chosen.append(patch)
            }
            guard !chosen.isEmpty else { return nil }
            let found = statistics(columns, rows: images.count)
            return (
                window,
                chosen.indices.map { WindowSum(patch: chosen[$0], sum: found[2 * $0], difference: found[2 * $0 + 1]) }
            )
        }
    }

    /// The window's layers, cut to the network. Where its depth is unknown, a window that ends beyond the last layer
    /// patched alone gives nil, as the network may have more layers.
    private func windowLayers(centre: Int, width: Int, known: Int?) -> Range<Int>? {
        let low = max(0, centre - width / 2), high = centre + (width + 1) / 2
        if let depth = store.manifest.layers { return low < min(high, depth) ? low..<min(high, depth) : nil }
        guard let known, high <= known + 1, low < high else { return nil }
        return low..<high
    }
}

// MARK: - Classes

struct ClassEffects {
    var label: Int
    var images: Int
    /// p(clean) - p(corrupted)
    var total: EffectStatistics
    /// One per patch, in the order asked for
    var effects: [EffectStatistics]
}

extension PerImage {
    /// Effects of `patches` by label, for at most `most` classes: those with the most images, ordered by class index.
    func byClass(_ patches: [Int], most: Int) throws -> [ClassEffects] {
        let byLabel = Dictionary(grouping: images.indices) { images[$0].label }
        let chosen = byLabel.filter { $0.value.count > 1 }
            .sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }.prefix(most).sorted { $0.key < $1.key }
        guard chosen.count > 1 else { return [] }
        let columns = try [images.map { Double($0.clean.p) - Double($0.corrupted.p) }] + patches.map(effects)
        return chosen.map { label, rows in
            let found = statistics(columns.map { column in rows.map { column[$0] } }, rows: rows.count)
            return ClassEffects(label: label, images: rows.count, total: found[0], effects: Array(found.dropFirst()))
        }
    }
}

// MARK: - Examples

struct Example {
    enum Kind: String, CaseIterable {
        case strongest, typical, opposite
    }
    var kind: Kind
    var image: ImageRecord
    /// Of the patch by which the image was chosen
    var effect: Double
    var patched: PassMetrics?
}

extension PerImage {
    /// The images with the largest effects of `patch` in the direction of its mean, those nearest the median, and those
    /// with the largest effects in the opposite direction; up to `count` of each.
    func examples(of patch: PatchStatistics, count: Int = 3) throws -> [Example] {
        let sign: Double = patch.p.mean < 0 ? -1 : 1
        let values = try effects(patch.patch)
        var free = images.indices.filter { values[$0].isFinite }
        guard !free.isEmpty else { return [] }
        func take(_ kind: Example.Kind, _ limit: Int, by key: (Double) -> Double) throws -> [Example] {
            let rows = free.sorted { (key(values[$0]), $0) < (key(values[$1]), $1) }.prefix(limit)
            free.removeAll { rows.contains($0) }
            return try rows.map { row in
                let patched = try passes(image: images[row], patches: [patch.patch])[0]
                return Example(kind: kind, image: images[row], effect: values[row], patched: patched)
            }
        }
        let strongest = try take(.strongest, count) { -sign * $0 }
        let opposite = free.count { sign * values[$0] < 0 }
        let against = try take(.opposite, min(count, opposite)) { sign * $0 }
        let typical = try take(.typical, count) { abs($0 - patch.p.median) }
        return strongest + typical + against
    }
}
