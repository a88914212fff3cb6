import CLRuntime
import Kernels
import ViT

extension Attribution {
    /// Interpolates the midpoints' encoder inputs.
    func midpoints(_ walk: AttributionWalk) throws(CLError) {
        if walk.midpoints.isEmpty { return }
        try give(.embed, layer: 0, region: 0, walk)
        for point in walk.midpoints {
            try residual.blend(
                x: x, lists: walk.lists, dst: point.dst, a: point.a, b: point.b, count: walk.images,
                t: point.position, rowElements: encoder.rowStride)
        }
    }

    /// Runs all layers of all passes and keeps the stream before and after each stage.
    func forward(_ walk: AttributionWalk) throws(CLError) {
        let blocks = (0..<walk.blocks).filter { !walk.given.contains($0) }
        for layer in 0..<encoder.config.layers {
            for (stage, region) in [(Depth.Stage.attention, 2 * layer), (.mlp, 2 * layer + 1)] {
                context.stage("\(stage) \(layer)")
                for (model, run) in walk.runs(blocks, input.model) {
                    try inside(stage, layer: layer, walk, model: model, run, hidden: [.mlpAct])
                    let slots = (run.lowerBound * walk.images)..<(run.upperBound * walk.images)
                    let output = Encoder.Output(
                        o: o, position: slots.lowerBound, x: x, lists: walk.lists, adds: nil)
                    if stage == .attention {
                        try model.attentionOutput(layer: layer, slots: slots, to: output, workspace: workspace)
                    } else {
                        try model.mlpOutput(layer: layer, slots: slots, to: output, workspace: workspace)
                    }
                    // The lists begin with 0, 1, 2 ..., so a row number is its own list entry.
                    try model.add(
                        layer: layer, x: x, o: o, lists: walk.lists, dst: walk.region(region + 1) + slots.lowerBound,
                        base: walk.region(region) + slots.lowerBound, src: slots.lowerBound, count: slots.count)
                }
            }
        }
    }

    /// Computes q, k, v and z, or the hidden layer, of some blocks of one model.
    /// - Parameter hidden: the required activations of the hidden layer; for mlp_act alone, the GEMM applies the
    ///   activation
    private func inside(
        _ stage: Depth.Stage, layer: Int, _ walk: AttributionWalk, model: Encoder, _ blocks: Range<Int>,
        hidden: Set<Activation>
    ) throws(CLError) {
        let slots = (blocks.lowerBound * walk.images)..<(blocks.upperBound * walk.images)
        let first = walk.region(stage == .attention ? 2 * layer : 2 * layer + 1)
        let rows = (first + slots.lowerBound)..<(first + slots.upperBound)
        if stage == .attention {
            try model.projectQKV(
                layer: layer, x: x, lists: walk.lists, rows: rows, slot: slots.lowerBound, workspace: workspace)
            try model.attend(layer: layer, slots: slots, workspace: workspace)
        } else {
            try model.projectHidden(
                layer: layer, x: x, lists: walk.lists, rows: rows, slot: slots.lowerBound,
                beforeActivation: hidden.contains(.mlpPre), workspace: workspace)
            if hidden == [.mlpPre, .mlpAct] { try model.activate(layer: layer, slots: slots, workspace: workspace) }
        }
    }

    /// Recomputes activations inside a stage, for the passes that are differentiated or compared.
    private func recompute(_ stage: Depth.Stage, layer: Int, _ walk: AttributionWalk) throws(CLError) {
        var blocks = walk.differentiated
        let isSeen = work.layout.looksInside(stage, layer: layer)
        if isSeen {
            for table in work.layout.tables where table.key.layer == layer && table.key.site.row.stage == stage {
                let pair = work.layout.pairs[table.pair]
                blocks.formUnion([pair.base, pair.source])
            }
        }
        for (model, run) in walk.runs(blocks.filter { !walk.given.contains($0) }.sorted(), input.model) {
            try inside(stage, layer: layer, walk, model: model, run, hidden: isSeen ? [.mlpPre, .mlpAct] : [.mlpPre])
        }
    }

    /// Goes from the metrics back to the first place of any table, and fills every place's tables on the way.
    func backward(_ walk: AttributionWalk) throws(CLError) {
        guard let lowest = work.layout.lowest, walk.backwardPassCount > 0 else { return }
        let config = encoder.config, d = config.hiddenSize, final = 2 * config.layers
        context.stage("backward: classifier")
        try backward.readout(x: x, lists: walk.lists, rows: walk.streamRows[final], g: g, workspace: backwardWorkspace)
        for layer in (0..<config.layers).reversed() {
            let tokens = encoder.tokens(after: layer)
            func stream(_ buffer: Buffer<Float>, _ tokens: Int) -> TokenRows {
                TokenRows(buffer, offset: 0, rowStride: tokens * d, tokenStride: d)
            }
            func gradient(_ activation: Activation) -> TokenRows {
                backward.gradient(activation, layer: layer, workspace: backwardWorkspace)
            }
            func isDone(_ stage: Depth.Stage) -> Bool { lowest >= Depth(layer: layer, stage: stage) }

            context.stage("backward: MLP \(layer)")
            try contractStream(.residPost, layer: layer, region: 2 * layer + 2, stream(g, tokens), walk)
            if isDone(.residPost) { return }
            try contractOutput(.mlpOut, layer: layer, stream(g, tokens), walk)
            if !isDone(.mlp) || work.layout.looksInside(.mlp, layer: layer) {
                try recompute(.mlp, layer: layer, walk)
                try backward.mlpOutput(layer: layer, g: g, count: walk.backwardPassCount, workspace: backwardWorkspace)
                try contractInside(.mlpAct, layer: layer, gradient(.mlpAct), walk)
                try backward.activate(
                    layer: layer, lists: walk.lists, slots: walk.slots, forward: workspace, workspace: backwardWorkspace
                )
                try contractInside(.mlpPre, layer: layer, gradient(.mlpPre), walk)
            }
            if isDone(.mlp) { return }
            try backward.mlpInput(
                layer: layer, x: x, lists: walk.lists, rows: walk.streamRows[2 * layer + 1], g: g,
                workspace: backwardWorkspace)
            try contractStream(.residMid, layer: layer, region: 2 * layer + 1, stream(g, tokens), walk)
            if isDone(.residMid) { return }

            context.stage("backward: attention \(layer)")
            try contractOutput(.attnOut, layer: layer, stream(g, tokens), walk)
            if !isDone(.attention) || work.layout.looksInside(.attention, layer: layer) {
                try recompute(.attention, layer: layer, walk)
                try backward.attentionOutput(
                    layer: layer, g: g, count: walk.backwardPassCount, workspace: backwardWorkspace)
                try contractInside(.z, layer: layer, gradient(.z), walk)
                for site in [Site.q, .k, .pattern] { try contractScores(site, layer: layer, gradient(.z), walk) }
                if isDone(.attention), work.layout.tables(.v, layer).isEmpty { return }
                try backward.attend(
                    layer: layer, lists: walk.lists, slots: walk.slots, forward: workspace, workspace: backwardWorkspace
                )
                try contractInside(.v, layer: layer, gradient(.v), walk)
            }
            if isDone(.attention) { return }
            try backward.attentionInput(
                layer: layer, x: x, lists: walk.lists, rows: walk.streamRows[2 * layer], g: g, out: other,
                workspace: backwardWorkspace)
            swap(&g, &other)
            try contractStream(.residPre, layer: layer, region: 2 * layer, stream(g, config.tokens), walk)
            if layer == 0 { try contractStream(.embed, layer: 0, region: 0, stream(g, config.tokens), walk) }
            if isDone(.residPre) { return }
        }
    }
}

extension AttributionWalk {
    /// Runs of consecutive blocks of the same model, with that model.
    func runs(_ blocks: [Int], _ encoder: (Int) -> Encoder) -> [(Encoder, Range<Int>)] {
        var runs: [(model: Int, blocks: Range<Int>)] = []
        for block in blocks {
            if let last = runs.last, last.blocks.upperBound == block, last.model == models[block] {
                runs[runs.count - 1].blocks = last.blocks.lowerBound..<(block + 1)
            } else {
                runs.append((models[block], block..<(block + 1)))
            }
        }
        return runs.map { (encoder($0.model), $0.blocks) }
    }
}
