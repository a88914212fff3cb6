import CLRuntime
import Kernels
import ViT

extension Wavefront {
    /// Puts zeros, means and a file's activations where a stage's swaps read them.
    func give(_ schedule: Schedule, _ stage: Depth.Stage, _ layer: Int) throws(CLError) {
        let (images, sources) = (schedule.images, schedule.sources)
        if sources.given.isEmpty { return }
        func rows(_ kind: Schedule.Sources.Given) -> Range<Int> {
            sources.block(kind).map { ($0 * images)..<(($0 + 1) * images) } ?? 0..<0
        }
        let given = ActivationRows(encoder: encoder, x: x, o: o, workspace: workspace, keeps: workspace.keeps)
        // Zeros everywhere first: slots may be copied whole, and sites share buffers, so all zeros precede all other
        // values.
        let all = (sources.models.count * images)..<(sources.blocks * images)
        for site in Site.of(stage) { try given.zero(site, rows: all, layer: layer) }
        for site in Site.of(stage) {
            if let mean = means?.at(site, layer: layer) {
                for row in rows(.means) { try given.put(mean, site, row: row, layer: layer) }
            }
            guard let file, site.row.home != .pattern, file.has(site, layer: layer) else { continue }
            let tokens = site.row.isClipped ? encoder.tokens(after: layer) : encoder.config.tokens
            for (image, row) in rows(.file).enumerated() {
                let values = file.values(site, layer: layer, image: filePositions[image], tokens: tokens)
                try given.put(try Buffer(context, values), site, row: row, layer: layer)
            }
        }
    }

    /// Recomputes z from a file's pattern and the pass's own values.
    func attend(_ given: Schedule.GivenPattern, layer: Int) throws(CLError) {
        guard let file else { return }
        let config = encoder.config, tokens = encoder.tokens(after: layer)
        let pattern = file.values(
            .pattern, layer: layer, image: filePositions[given.image], tokens: config.tokens)
        let v = try workspace.values(.v, slot: given.slot, config: config, tokens: tokens)
        var z = try workspace.values(.z, slot: given.slot, config: config, tokens: tokens)
        mix(pattern: pattern, v: v, into: &z, heads: given.heads, queries: given.tokens, config)
        let place = workspace.place(.z, config: config, tokens: tokens)
        try place.buffer.write(z, at: place.start(given.slot))
    }
}
