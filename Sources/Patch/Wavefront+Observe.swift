import CLRuntime
import Kernels
import ViT

extension Wavefront {
    /// Clean passes of some images, every layer's activations handed to `body`, image by image.
    ///
    /// For statistics over data: this is the one path on which activations leave the device.
    /// - Parameters:
    ///   - clean: [images] of [channels, S, S]
    ///   - sites: what lies in a workspace must be kept by this wavefront's
    ///   - body: site, layer, image of the wave, values [tokens that the layer computes, width]
    package func observe(
        _ clean: [[Float]], sites: Set<Site>, _ body: (Site, Int, Int, ArraySlice<Float>) -> Void
    ) throws(CLError) {
        let wave = Wave(clean: clean, corrupted: nil, labels: clean.map { _ in -1 }), images = clean.count
        let passes = try sourcePasses(wave, patches: [])
        let (schedule, lists) = try schedule(
            [], images: images, sources: Schedule.Sources(models: [0], base: [], source: []), keepsOutputs: true)
        try embed(wave, passes, try upload(wave, passes))
        let config = encoder.config, d = config.hiddenSize
        func hand(_ site: Site, _ layer: Int, _ buffer: Buffer<Float>, stride: Int, tokens: Int) throws(CLError) {
            let values = try buffer.read(0..<(images * stride))
            for image in 0..<images {
                body(site, layer, image, values[(image * stride)..<(image * stride + tokens * d)])
            }
        }
        try walk(schedule, lists) { (point, layer) throws(CLError) in
            let tokens = encoder.tokens(after: layer)
            switch point {
            case .stream(let stage):
                for site in Site.of(stage) where sites.contains(site) && (site.hasLayers || layer == 0) {
                    try hand(
                        site, layer, x, stride: encoder.rowStride,
                        tokens: site.row.isClipped ? tokens : config.tokens)
                }
            case .chunk(let stage, let chunk):
                for site in Site.of(stage) where sites.contains(site) {
                    guard let activation = site.activation else { continue }
                    for (index, slot) in chunk.slots.enumerated() {
                        let values = try workspace.values(activation, slot: slot, config: config, tokens: tokens)
                        body(site, layer, chunk.position + index, values[...])
                    }
                }
            case .outputs(let stage):
                for site in Site.of(stage) where site.isOutput && sites.contains(site) {
                    try hand(site, layer, o, stride: tokens * d, tokens: tokens)
                }
            case .added: break
            }
        }
    }

    /// Hands every image's patch projections, [patches, D] with their bias, to `body`.
    /// - Parameter clean: [images] of [channels, S, S]
    package func observeProjections(_ clean: [[Float]], _ body: (ArraySlice<Float>) -> Void) throws(CLError) {
        let wave = Wave(clean: clean, corrupted: nil, labels: clean.map { _ in -1 })
        _ = try upload(wave, try sourcePasses(wave, patches: []))
        try encoder.forEachProjection(pixels: input, images: clean.count, workspace: workspace, body)
    }

    /// Where an image's passes first stop to be numbers, by running its wave again from the encoder's inputs.
    func firstNonFinite(_ schedule: Schedule, _ lists: Buffer<Int32>, image: Int) throws(CLError) -> String {
        var found: String?
        let config = encoder.config
        /// Whether a pass of the image has a value that is none, among its first tokens.
        func isBroken(blocks: Int, tokens: Int) throws(CLError) -> Bool {
            for block in 0..<blocks {
                let start = (block * schedule.images + image) * encoder.rowStride
                if try x.read(start..<(start + tokens * config.hiddenSize)).contains(where: { !$0.isFinite }) {
                    return true
                }
            }
            return false
        }
        if try isBroken(blocks: schedule.sources.models.count, tokens: config.tokens) {
            return "the encoder's input"
        }
        try walk(schedule, lists) { (point, layer) throws(CLError) in
            guard found == nil else { return }
            switch point {
            case .added(let stage):
                let alive = schedule.layers[layer].alive[stage] ?? 0
                if try isBroken(blocks: alive, tokens: encoder.tokens(after: layer)) {
                    found = "the output of layer \(layer)'s \(stage == .attention ? "attention" : "MLP")"
                }
            case .stream(let stage):
                // What is put in may be broken itself: means, or another pass.
                let alive = schedule.layers[layer].alive[stage] ?? 0
                if try isBroken(blocks: alive, tokens: encoder.tokens(after: layer)) {
                    found = "what is put in at layer \(layer)'s \(Site.of(stage).last?.rawValue ?? "stream")"
                }
            case .chunk, .outputs: break
            }
        }
        return found ?? "the classifier's output"
    }
}
