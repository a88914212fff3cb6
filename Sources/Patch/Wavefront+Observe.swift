import CLRuntime
import Foundation
import Kernels
import ViT

extension Wavefront {
    /// The origin of an activation that `observe` passes on.
    package struct Observed: Hashable {
        package var site: Site
        /// 0 for `embed`
        package var layer: Int
        package var isCorrupted: Bool
        /// Position in the wave
        package var image: Int

        package init(site: Site, layer: Int, isCorrupted: Bool, image: Int) {
            (self.site, self.layer, self.isCorrupted, self.image) = (site, layer, isCorrupted, image)
        }
    }

    /// Runs clean and corrupted passes of some images and passes every layer's activations to `body`, image by image.
    /// - Parameters:
    ///   - wave: without corrupted pixels only the clean passes run
    ///   - sites: those in a workspace must be kept by this wavefront's
    ///   - body: values [tokens that the layer computes, width]; for `pattern` [H, queries that it computes, T]
    package func observe(
        _ wave: Wave, sites: Set<Site>, _ body: (Observed, ArraySlice<Float>) -> Void
    ) throws(CLError) {
        let images = wave.clean.count, passes = try input.sourcePasses(wave, patches: []), rows = passes.count * images
        let (schedule, lists) = try schedule(
            [], images: images, sources: Schedule.Sources(models: passes.map(\.model), base: [], source: []),
            keepsOutputs: true)
        try embed(wave, passes, try input.upload(wave, passes))
        let config = encoder.config, d = config.hiddenSize
        func hand(_ site: Site, _ layer: Int, row: Int, _ values: ArraySlice<Float>) {
            body(
                Observed(site: site, layer: layer, isCorrupted: row >= images, image: row % max(images, 1)), values)
        }
        func hand(_ site: Site, _ layer: Int, _ buffer: Buffer<Float>, stride: Int, tokens: Int) throws(CLError) {
            for row in 0..<rows {
                hand(site, layer, row: row, try buffer.read((row * stride)..<(row * stride + tokens * d))[...])
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
                for site in Site.of(stage) where sites.contains(site) && !site.isOutput {
                    let bias = site == .pattern ? try encoder.scoreBias(layer: layer) : nil
                    for (index, slot) in chunk.slots.enumerated() {
                        func values(_ activation: Activation) throws(CLError) -> [Float] {
                            try workspace.values(activation, slot: slot, config: config, tokens: tokens)
                        }
                        let found =
                            if let activation = site.activation {
                                try values(activation)
                            } else {
                                attentionPattern(q: try values(.q), k: try values(.k), bias: bias, config)
                            }
                        hand(site, layer, row: chunk.position + index, found[...])
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

    /// Passes every image's patch projections, [patches, D] with bias, to `body`.
    /// - Parameter clean: [images] of [channels, height, width]
    package func observeProjections(_ clean: [[Float]], _ body: (ArraySlice<Float>) -> Void) throws(CLError) {
        let wave = Wave(clean: clean, corrupted: nil, labels: clean.map { _ in -1 })
        _ = try input.upload(wave, try input.sourcePasses(wave, patches: []))
        try input.projections(images: clean.count, workspace: workspace, body)
    }

    /// The first place where an image's passes are not finite, found by running its wave again from the encoder's
    /// inputs.
    func firstNonFinite(_ schedule: Schedule, _ lists: Buffer<Int32>, image: Int) throws(CLError) -> String {
        var found: String?
        let config = encoder.config
        /// Whether a pass of the image has a non-finite value among its first tokens.
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
                // The value put in may be non-finite itself: from means, or from another pass.
                let alive = schedule.layers[layer].alive[stage] ?? 0
                if try isBroken(blocks: alive, tokens: encoder.tokens(after: layer)) {
                    found = "the activation patched in at layer \(layer)'s \(Site.of(stage).last?.rawValue ?? "stream")"
                }
            case .chunk, .outputs: break
            }
        }
        return found ?? "the classifier's output"
    }
}

/// softmax(q k^T / sqrt(Dh) + bias), which no buffer holds.
/// - Parameters: q: [queries, D]; k: [T, D]; bias: [H, T, T], if there is one
/// - Returns: [H, queries, T]
private func attentionPattern(q: [Float], k: [Float], bias: [Float]?, _ config: ViTConfig) -> [Float] {
    let (d, size, tokens, queries) = (config.hiddenSize, config.headDim, config.tokens, q.count / config.hiddenSize)
    let scale = 1 / Float(size).squareRoot()
    var pattern: [Float] = []
    pattern.reserveCapacity(config.heads * queries * tokens)
    for head in 0..<config.heads {
        for query in 0..<queries {
            var scores = [Float](repeating: 0, count: tokens)
            for token in 0..<tokens {
                var sum: Float = 0
                for i in (head * size)..<((head + 1) * size) { sum += q[query * d + i] * k[token * d + i] }
                scores[token] = sum * scale + (bias.map { $0[(head * tokens + query) * tokens + token] } ?? 0)
            }
            let top = scores.max() ?? 0
            let weights = scores.map { exp($0 - top) }
            let total = weights.reduce(0, +)
            pattern += weights.map { $0 / total }
        }
    }
    return pattern
}
