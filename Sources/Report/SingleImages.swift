import Results
import Statistics

/// Estimates on single images: maps of tokens over the images, and the images that drive the largest neurons.
struct SingleImages {
    private let estimate: EstimateStatistics
    private let group: EstimateGroup
    private let statistics: CorruptionStatistics
    private let manifest: Manifest
    private let images: [ImageRecord]
    /// The patches shown
    private let chosen: [Int]
    /// [images][chosen]
    private var values: [[Float]] = []
    private let planes: [EstimateGroup.Plane]

    private static let (mostPlanes, mostImages, mostNeurons) = (4, 3, 6)

    /// - Returns: nil unless the patches are neurons or all image patches
    init?(
        _ estimate: EstimateStatistics, _ group: EstimateGroup, _ statistics: CorruptionStatistics,
        _ store: ResultsStore
    ) throws {
        (self.estimate, self.group, self.statistics, manifest) = (estimate, group, statistics, store.manifest)
        let manifest = store.manifest
        let largest = group.members.filter { estimate.mean[$0].isFinite }
            .sorted { abs(estimate.mean[$0]) > abs(estimate.mean[$1]) }
        switch group.shape {
        case .tokens:
            let strongest = group.strongestPlanes(estimate, manifest, most: Self.mostPlanes)
            planes = strongest
            chosen = group.members.filter { patch in
                let record = manifest.patches[patch]
                return strongest.contains {
                    $0 == EstimateGroup.Plane(layer: record.layer, head: record.head, window: record.window)
                }
            }
        case .list where largest.contains { !manifest.patches[$0].neuron.isEmpty }:
            planes = []
            chosen = Array(largest.prefix(Self.mostNeurons))
        default: return nil
        }
        guard !chosen.isEmpty else { return nil }
        images = try store.estimatedImages(corruption: statistics.corruption)
        var rows = [[Float]](repeating: [], count: images.count)
        let places = chosen
        try store.forEachEstimate(estimate.name.column, corruption: statistics.corruption, images: images) { row, all in
            rows[row] = places.map { all[$0] }
        }
        values = rows
    }

    /// The images with the largest estimates of a patch in the direction of its mean
    private func drivers(_ column: Int) -> [Int] {
        let sign: Float = estimate.mean[chosen[column]] < 0 ? -1 : 1
        return images.indices.filter { !values[$0].isEmpty && values[$0][column].isFinite }
            .sorted { sign * values[$0][column] > sign * values[$1][column] }
            .prefix(Self.mostImages).map { $0 }
    }

    /// Maps of tokens over the images that drive the place with the largest estimate.
    func figure(_ figures: EstimateFigures, _ pictures: ExampleImages?, room: inout Int) throws -> Figure? {
        guard case .tokens(let grid, let layout) = group.shape else { return nil }
        let image = chosen.indices.filter { group.setsScale(chosen[$0], manifest) }
        guard let largest = image.max(by: { abs(estimate.mean[chosen[$0]]) < abs(estimate.mean[chosen[$1]]) }) else {
            return nil
        }
        let rows = drivers(largest)
        let limit = rows.flatMap { row in image.map { abs(Double(values[row][$0])) } }.filter(\.isFinite).max() ?? 0
        let digits = decimals(for: [limit])
        let columns = Dictionary(
            chosen.enumerated().map { position, patch in
                let record = manifest.patches[patch]
                return ([record.layer, record.head, record.window, record.token], position)
            }
        ) { first, _ in first }
        var panels: [Panel] = []
        for row in rows {
            var picture = try pictures?(images[row].id, statistics.spec)
            // The page holds the picture once per map.
            let bytes = (picture?.input?.count ?? 0) * 4 / 3 * planes.count
            if bytes > room { picture = nil } else { room -= bytes }
            let input = picture?.input.map(Picture.init)
            for plane in planes {
                panels.append(
                    HeatMap(title: "\(printable(images[row].id)), \(plane.short)", limit: limit, isEstimate: true)
                        .tokens(
                            grid: grid, layout: layout, digits: digits, over: input
                        ) { token in
                            columns[[plane.layer, plane.head, plane.window, "\(token)"]].map {
                                HeatMap.Cell(
                                    value: Double(values[row][$0]), significant: false,
                                    tooltip: "\(layout.name(token))\nestimate \(plus(Double(values[row][$0]), digits))")
                            }
                        })
            }
        }
        let words = figures.words(group.direction), title = EstimateWords.title(estimate.name)
        return Figure(
            name: figures.name(
                "estimate-images", estimate.name.column, words.intervention.fileName(group.direction), group.site),
            title: "Estimates on single images: \(words.name) \(group.site), \(title)",
            caption:
                "The images on which \(manifest.patches[chosen[largest]].short), the largest, has its largest estimates; "
                + "maps of the \(counted(planes.count, group.hasHeads ? "head" : "layer")) with the largest ones, all on one scale. Not measured. Green is above 0, purple below.",
            panels: panels, colourLimit: limit, colourTitle: "estimate, \(title)", isEstimate: true)
    }

    /// The largest neurons, each with the images that drive it; empty for other patches
    func neurons(_ pictures: ExampleImages?, room: inout Int) throws -> String {
        guard case .list = group.shape else { return "" }
        let words = InterventionWords(manifest, direction: group.direction, corruption: statistics.spec)
        var out =
            "<h4>Neurons with the largest estimates, and the images that drive them: \(escaped(words.name)) \(escaped(group.site))</h4><div class=\"examples\">"
        for (column, patch) in chosen.enumerated() {
            let digits = decimals(for: [estimate.mean[patch]])
            out +=
                "<article><h5>\(escaped(manifest.patches[patch].short))</h5><p>mean estimate <b>\(plus(estimate.mean[patch], digits))</b></p><div class=\"pictures\">"
            for row in drivers(column) {
                let caption = "\(images[row].id), \(plus(Double(values[row][column]), digits))"
                var picture = try pictures?(images[row].id, statistics.spec)?.clean
                let bytes = (picture?.count ?? 0) * 4 / 3
                if bytes > room { picture = nil } else { room -= bytes }
                out +=
                    picture.map {
                        "<figure>\(Picture($0).html(alt: images[row].id))<figcaption>\(escaped(caption))</figcaption></figure>"
                    } ?? "<p>\(escaped(caption))</p>"
            }
            out += "</div></article>"
        }
        return out + "</div>"
    }
}
