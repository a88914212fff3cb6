import CLRuntime
import Kernels
import ViT

extension Wavefront {
    /// Puts zeros, means and a file's activations where a stage's swaps will look for them.
    func give(_ schedule: Schedule, _ stage: Depth.Stage, _ layer: Int) throws(CLError) {
        let (images, sources) = (schedule.images, schedule.sources)
        if sources.given.isEmpty { return }
        func rows(_ kind: Schedule.Sources.Given) -> Range<Int> {
            sources.block(kind).map { ($0 * images)..<(($0 + 1) * images) } ?? 0..<0
        }
        // Zeros also where nothing is put: slots may be copied whole. All before anything is put: sites share buffers.
        let all = (sources.models.count * images)..<(sources.blocks * images)
        for site in Site.of(stage) { try zero(site, rows: all, layer: layer) }
        for site in Site.of(stage) {
            if let mean = means?.at(site, layer: layer) {
                for row in rows(.means) { try put(mean, site, row: row, layer: layer) }
            }
            guard let file, site.row.home != .pattern, file.has(site, layer: layer) else { continue }
            let tokens = site.row.isClipped ? encoder.tokens(after: layer) : encoder.config.tokens
            for (image, row) in rows(.file).enumerated() {
                let values = file.values(site, layer: layer, image: filePositions[image], tokens: tokens)
                try put(try Buffer(context, values), site, row: row, layer: layer)
            }
        }
    }

    private func zero(_ site: Site, rows: Range<Int>, layer: Int) throws(CLError) {
        let tokens = encoder.tokens(after: layer)
        let outputs = tokens * encoder.config.hiddenSize, stride = encoder.rowStride
        switch site.row.home {
        case .output: try o.fill(0, (rows.lowerBound * outputs)..<(rows.upperBound * outputs))
        case .stream: try x.fill(0, (rows.lowerBound * stride)..<(rows.upperBound * stride))
        case .slot(let activation) where workspace.keeps(activation):
            try workspace.zero(activation, slots: rows, config: encoder.config, tokens: tokens)
        case .slot, .pattern: break
        }
    }

    /// - Parameter values: [tokens that the site has in this layer, width]
    private func put(_ values: Buffer<Float>, _ site: Site, row: Int, layer: Int) throws(CLError) {
        let tokens = encoder.tokens(after: layer)
        switch site.row.home {
        case .output: try o.copy(from: values, 0..<values.count, to: row * tokens * encoder.config.hiddenSize)
        case .stream: try x.copy(from: values, 0..<values.count, to: row * encoder.rowStride)
        case .slot(let activation) where workspace.keeps(activation):
            try workspace.give(values, activation, slot: row, config: encoder.config, tokens: tokens)
        case .slot, .pattern: break
        }
    }

    /// z anew, from a file's pattern and the pass's own values. On the host: a file's patterns are read there anyway,
    /// and the device has no other use for them.
    func attend(_ given: Schedule.GivenPattern, layer: Int) throws(CLError) {
        guard let file else { return }
        let config = encoder.config, tokens = encoder.tokens(after: layer)
        let (all, d, size) = (config.tokens, config.hiddenSize, config.headDim)
        let pattern = file.values(.pattern, layer: layer, image: filePositions[given.image], tokens: all)
        let v = try workspace.values(.v, slot: given.slot, config: config, tokens: tokens)
        var z = try workspace.values(.z, slot: given.slot, config: config, tokens: tokens)
        for head in given.heads {
            let columns = (head * size)..<((head + 1) * size)
            for query in given.tokens {
                let weights = (head * all + query) * all
                for column in columns {
                    var sum: Float = 0
                    for token in 0..<all { sum += pattern[weights + token] * v[token * d + column] }
                    z[query * d + column] = sum
                }
            }
        }
        let place = workspace.place(.z, config: config, tokens: tokens)
        try place.buffer.write(z, at: place.start(given.slot))
    }
}
