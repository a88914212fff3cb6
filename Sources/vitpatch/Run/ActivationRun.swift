import CLRuntime
import Files
import Images
import Patch
import Spec
import ViT

/// Writes images' activations to a .safetensors file. Every image's are written at their offset as soon as they are
/// computed, so memory does not grow with the images.
struct ActivationRun {
    let experiment: Experiment
    let corruption: Corruption
    /// Whether there are corrupted passes beside the clean ones
    let isCorrupted: Bool
    /// Indices in the data's order
    let images: [Int]
    let sites: [Site]
    /// nil: all
    let layers: [Int]?, tokens: [Int]?
    let memory: Int?

    private var config: ViTConfig { experiment.model.encoder.config }

    /// Names of the arrays in their order, with the places that they are read from
    var names: [(name: String, place: Wavefront.Observed)] {
        (isCorrupted ? [false, true] : [false]).flatMap { isCorrupted in
            sites.flatMap { site in
                (site.hasLayers ? layers ?? Array(0..<config.layers) : [0]).map { layer in
                    (
                        "\(isCorrupted ? "corrupted" : "clean").\(site.rawValue).\(layer)",
                        Wavefront.Observed(site: site, layer: layer, isCorrupted: isCorrupted, image: 0)
                    )
                }
            }
        }
    }

    /// - Returns: the file's size in bytes
    func write(to file: AtomicFile, metadata: [String: String]) throws -> Int {
        let names = names
        func count(_ site: Site) -> Int { site.shape(images: 1, tokens: tokens?.count, config).reduce(1, *) }
        let header = try SafeTensors.Header(
            arrays: names.map { ($0.name, $0.place.site.shape(images: images.count, tokens: tokens?.count, config)) },
            metadata: metadata)
        let offsets = Dictionary(uniqueKeysWithValues: names.map { ($0.place, header.offsets[$0.name] ?? 0) })
        try file.write(header.bytes)
        try file.grow(to: header.size)

        let model = experiment.model, sites = Set(sites)
        let plan = try WavePlan(
            encoder: model.encoder, patches: [], observing: sites, images: images.count, memory: memory)
        let runner = WaveRunner(
            encoder: model.encoder, library: model.library, plan: plan,
            onFirstHalving: Experiment.warn(planned: plan, of: model))
        let feed = ImageFeed(
            [.init(images: images, loader: try experiment.loader(corruption))], perBatch: plan.shape.images)
        var done = 0, progress = Progress(total: images.count)
        defer { progress.finish() }
        _ = try feed.forEach { batch in
            try runner.run(images: batch.indices.count, patches: 0..<0) { wavefront, piece in
                let wave = try experiment.wave(batch[piece.images], corruption, sample: 0)
                var failure: (any Error)?
                try wavefront.observe(wave, sites: sites) { place, values in
                    var array = place
                    array.image = 0
                    guard failure == nil, let offset = offsets[array] else { return }
                    let image = done + piece.images.lowerBound + place.image
                    do {
                        let bytes = MemoryLayout<Float>.size * count(place.site)
                        if let index = values.firstIndex(where: { !$0.isFinite }) {
                            throw CommandError(
                                "\(experiment.data.dataset.id(images[image])): \(place.site.rawValue) of layer \(place.layer) is "
                                    + "not finite (\(values[index]))")
                        }
                        try place.site.arranged(values, tokens: tokens, config).withUnsafeBytes {
                            try file.write($0, at: offset + image * bytes)
                        }
                    } catch { failure = error }
                }
                if let failure { throw failure }
            }
            done += batch.indices.count
            progress.advance(images: batch.indices.count, passes: batch.indices.count * (isCorrupted ? 2 : 1))
            return true
        }
        try file.close()
        return header.size
    }
}
