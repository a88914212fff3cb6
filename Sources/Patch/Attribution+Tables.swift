import CLRuntime
import Kernels
import ViT

/// Contraction of gradients with differences of activations, place by place.
extension Attribution {
    /// Adds to a table's cells for every gradient and image that uses it.
    private func contract(
        _ index: Int, _ g: TokenRows, s: TokenRows, r: TokenRows, tokens: Int, isMixed: Bool = false,
        _ walk: AttributionWalk
    ) throws(CLError) {
        let table = work.layout.tables[index]
        for use in walk.uses where use.pair == table.pair {
            let take = table.key.cells == .columns ? contract.summed : contract.callAsFunction
            try take(
                g, s, r, tokens, table.groups,
                table.key.site.hasNeurons ? encoder.config.intermediateSize : encoder.config.hiddenSize, walk.lists,
                isMixed ? use.mixed : use.entries, use.weight, use.accumulates, tables, offset(table, walk))
        }
    }

    private func offset(_ table: EstimateLayout.Table, _ walk: AttributionWalk) -> Int {
        table.start * work.series * walk.images
    }

    /// A site on the residual stream
    func contractStream(
        _ site: Site, layer: Int, region: Int, _ g: TokenRows, _ walk: AttributionWalk
    ) throws(CLError) {
        let found = work.layout.tables(site, layer)
        if found.isEmpty { return }
        try give(site, layer: layer, region: region, walk)
        let stride = encoder.rowStride
        let rows = TokenRows(
            x, offset: walk.region(region) * stride, rowStride: stride, tokenStride: encoder.config.hiddenSize)
        for (index, table) in found { try contract(index, g, s: rows, r: rows, tokens: table.rows, walk) }
    }

    /// A stage's output: the difference of the stream after and before it
    func contractOutput(_ site: Site, layer: Int, _ g: TokenRows, _ walk: AttributionWalk) throws(CLError) {
        let found = work.layout.tables(site, layer)
        if found.isEmpty { return }
        let tokens = encoder.tokens(after: layer), d = encoder.config.hiddenSize
        let before = site == .attnOut ? 2 * layer : 2 * layer + 1
        for block in Set(
            found.flatMap { [work.layout.pairs[$0.table.pair].base, work.layout.pairs[$0.table.pair].source] })
        where !walk.given.contains(block) {
            let rows = walk.rows(block)
            try residual.difference(
                x: x, rowStride: encoder.rowStride, lists: walk.lists, a: walk.region(before + 1) + rows.lowerBound,
                b: walk.region(before) + rows.lowerBound, count: rows.count, tokens: tokens, width: d, o: o,
                position: rows.lowerBound)
        }
        try give(site, layer: layer, region: 0, walk)
        let rows = TokenRows(o, offset: 0, rowStride: tokens * d, tokenStride: d)
        for (index, table) in found { try contract(index, g, s: rows, r: rows, tokens: table.rows, walk) }
    }

    /// An activation inside a stage
    func contractInside(_ site: Site, layer: Int, _ g: TokenRows, _ walk: AttributionWalk) throws(CLError) {
        let found = work.layout.tables(site, layer)
        guard !found.isEmpty, let activation = site.activation else { return }
        try give(site, layer: layer, region: 0, walk)
        let place = place(activation, layer: layer)
        for (index, _) in found {
            try contract(index, g, s: place.tokenRows, r: place.tokenRows, tokens: place.tokens, walk)
        }
    }

    /// q, k and pattern: z with the patched values minus the receiver's z, times the gradient at z
    func contractScores(_ site: Site, layer: Int, _ g: TokenRows, _ walk: AttributionWalk) throws(CLError) {
        let found = work.layout.tables(site, layer)
        if found.isEmpty { return }
        try give(site, layer: layer, region: 0, walk)
        let q = place(.q, layer: layer), k = place(.k, layer: layer)
        let v = place(.v, layer: layer), z = place(.z, layer: layer)
        let images = walk.images, width = encoder.config.hiddenSize
        let own = TokenRows(mixed, offset: 0, rowStride: z.tokens * width, tokenStride: width)
        for (index, table) in found {
            let pair = work.layout.pairs[table.pair]
            let base = pair.base * images, source = pair.source * images
            if table.key.cells == .eachKey {
                for use in walk.uses where use.pair == table.pair {
                    try keyTokens(
                        g: g, q: q.tokenRows, k: k.tokenRows, v: v.tokenRows, queries: q.tokens,
                        tokens: k.tokens, heads: encoder.config.heads, scale: encoder.attentionScale,
                        lists: walk.lists, entries: use.entries, weight: use.weight, accumulate: use.accumulates,
                        out: tables, outOffset: offset(table, walk), bias: encoder.scoreBiasBuffer(layer: layer))
                }
                continue
            }
            var queries = base, keys = base
            switch table.key.cells {
            case .keys(let tokens?):
                guard let set = walk.keySets[table.pair]?[tokens] else { continue }
                keys = walk.spareSlot
                for entries in [set.own, set.put] {
                    try encoder.swap(.k, layer: layer, lists: walk.lists, entries: entries, workspace: workspace)
                }
            case .keys: keys = source
            default:
                queries = source
                if site == .pattern { keys = source }
            }
            if site == .pattern, let file, work.layout.pairs[table.pair].source == sources.block(.file) {
                try mixFile(file, layer: layer, base: base, images: images)
            } else {
                try encoder.attend(
                    layer: layer, queries: queries, keys: keys, values: base, count: images, z: mixed,
                    workspace: workspace)
            }
            try contract(index, g, s: own, r: z.tokenRows, tokens: z.tokens, isMixed: true, walk)
        }
    }

    /// z from the patterns of a file.
    private func mixFile(_ file: ActivationFile, layer: Int, base: Int, images: Int) throws(CLError) {
        let config = encoder.config, tokens = encoder.tokens(after: layer)
        for image in 0..<images {
            let pattern = file.values(.pattern, layer: layer, image: filePositions[image], tokens: config.tokens)
            let v = try workspace.values(.v, slot: base + image, config: config, tokens: tokens)
            var z = [Float](repeating: 0, count: tokens * config.hiddenSize)
            mix(pattern: pattern, v: v, into: &z, heads: 0..<config.heads, queries: 0..<tokens, config)
            try mixed.write(z, at: image * z.count)
        }
    }

    private func place(_ activation: Activation, layer: Int) -> Workspace.Place {
        workspace.place(activation, config: encoder.config, tokens: encoder.tokens(after: layer))
    }

    /// Writes zeros, means and a file's activations at a site into the rows or slots of the given blocks.
    /// - Parameter region: region of the stream, for sites on it
    func give(_ site: Site, layer: Int, region: Int, _ walk: AttributionWalk) throws(CLError) {
        if walk.given.isEmpty { return }
        let given = ActivationRows(
            encoder: encoder, x: x, o: o, workspace: workspace, firstStreamRow: walk.region(region),
            keeps: { _ in true })
        let all = (walk.given.lowerBound * walk.images)..<(walk.given.upperBound * walk.images)
        try given.zero(site, rows: all, layer: layer)
        if let mean = means?.at(site, layer: layer), let block = sources.block(.means) {
            for row in walk.rows(block) { try given.put(mean, site, row: row, layer: layer) }
        }
        if let file, site.row.home != .pattern, file.has(site, layer: layer), let block = sources.block(.file) {
            let tokens = site.row.isClipped ? encoder.tokens(after: layer) : encoder.config.tokens
            for (image, row) in walk.rows(block).enumerated() {
                let values = file.values(site, layer: layer, image: filePositions[image], tokens: tokens)
                try given.put(try Buffer(context, values), site, row: row, layer: layer)
            }
        }
    }
}
