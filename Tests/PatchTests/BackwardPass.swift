import CLRuntime
import Kernels
import Reference
import ViT

/// Gradients at every site for some forward passes, computed with the primitives of `Encoder` and `Backward` alone: one
/// forward pass that keeps the stream, then layer by layer a recomputation of the layer's inside, and the gradients.
struct BackwardPass {
    /// One backward pass: of a metric, through the forward pass of one of the images
    struct Row: Hashable {
        var pass: Int, metric: MetricGradient.Metric
    }

    let encoder: Encoder
    let backward: Backward

    init(_ rig: Rig, weights: ViTWeights) throws {
        encoder = rig.encoder
        backward = try Backward(rig.encoder, weights: weights, library: rig.library)
    }

    /// - Parameters:
    ///   - pixels: of each forward pass
    ///   - target, foil: classes, the same for all passes
    /// - Returns: for each of `rows` the gradients by place, [tokens, width], without tokens that the layer does not
    ///   compute
    func gradients(
        pixels: [[Float]], rows: [Row], target: Int, foil: Int
    ) throws -> [[ReferencePlace: [Float]]] {
        let config = encoder.config, context = encoder.context, passes = pixels.count, count = rows.count
        let (t, d, layers) = (config.tokens, config.hiddenSize, config.layers)
        let forward = try ViT.Workspace(context, config: config, shape: .init(rows: passes, kept: .pre))
        let workspace = try Backward.Workspace(context, config: config, rows: count)

        // Lists: passes at each stage of the tape; for each gradient row its pass at each stage, image and metric
        let stages = 2 * layers + 1
        var ints = (0..<(stages * passes)).map { Int32($0) }
        func add(_ values: [Int]) -> Range<Int> {
            ints += values.map { Int32($0) }
            return (ints.count - values.count)..<ints.count
        }
        let of = (0..<stages).map { stage in add(rows.map { stage * passes + $0.pass }) }
        let images = add(rows.map(\.pass)), metrics = add(rows.map { Int($0.metric.rawValue) })
        let lists = try Buffer(context, ints)

        // Forward
        let tape = try Buffer<Float>(context, count: stages * passes * t * d)
        let o = try Buffer<Float>(context, count: passes * t * d)
        let logits = try Buffer<Float>(context, count: passes * config.classes)
        try encoder.embed(
            pixels: try Buffer(context, pixels.flatMap { $0 }), images: passes, x: tape, workspace: forward)
        func stage(_ index: Int) -> Range<Int> { (index * passes)..<((index + 1) * passes) }
        func output(_ index: Int) -> Encoder.Output {
            .init(o: o, position: 0, x: tape, lists: lists, adds: index * passes)
        }
        func inside(_ layer: Int) throws {
            try encoder.projectQKV(
                layer: layer, x: tape, lists: lists, rows: stage(2 * layer), slot: 0, workspace: forward)
            try encoder.attend(layer: layer, slots: 0..<passes, workspace: forward)
        }
        func hidden(_ layer: Int) throws {
            try encoder.projectHidden(
                layer: layer, x: tape, lists: lists, rows: stage(2 * layer + 1), slot: 0, beforeActivation: true,
                workspace: forward)
        }
        func next(_ index: Int) throws {
            try encoder.copy(x: tape, lists: lists, dst: index * passes, src: (index - 1) * passes, count: passes)
        }
        for layer in 0..<layers {
            try inside(layer)
            try next(2 * layer + 1)
            try encoder.attentionOutput(
                layer: layer, slots: 0..<passes, to: output(2 * layer + 1), workspace: forward)
            try hidden(layer)
            try encoder.activate(layer: layer, slots: 0..<passes, workspace: forward)
            try next(2 * layer + 2)
            try encoder.mlpOutput(layer: layer, slots: 0..<passes, to: output(2 * layer + 2), workspace: forward)
        }
        try encoder.logits(x: tape, lists: lists, list: stage(2 * layers), out: logits, workspace: forward)

        // Backward
        let targets = try Buffer(
            context, [Float](repeating: -1, count: 3) + pixels.flatMap { _ in [Float(target), Float(foil)] })
        var found = [[ReferencePlace: [Float]]](repeating: [:], count: count)
        func keep(_ site: ReferenceSite, _ layer: Int, _ rows: TokenRows, tokens: Int, width: Int) throws {
            let values = try rows.buffer.read()
            for row in 0..<count {
                found[row][ReferencePlace(site, layer: layer)] = (0..<tokens).flatMap { token in
                    let at = rows.offset + row * rows.rowStride + token * rows.tokenStride
                    return values[at..<(at + width)]
                }
            }
        }
        func keep(_ site: ReferenceSite, _ layer: Int, _ g: Buffer<Float>, tokens: Int) throws {
            try keep(site, layer, TokenRows(g, rowStride: tokens * d, tokenStride: d), tokens: tokens, width: d)
        }
        func keepInner(_ site: ReferenceSite, _ activation: Activation, _ layer: Int) throws {
            let isHidden = activation == .mlpPre || activation == .mlpAct
            try keep(
                site, layer, backward.gradient(activation, layer: layer, workspace: workspace),
                tokens: activation == .k || activation == .v ? t : encoder.tokens(after: layer),
                width: isHidden ? config.intermediateSize : d)
        }
        var g = try Buffer<Float>(context, count: count * t * d), other = try Buffer<Float>(context, count: g.count)
        try backward.metricGradient(
            logits: logits, lists: lists, rows: images, images: images, metrics: metrics, targets: targets, offset: 3,
            workspace: workspace)
        try backward.readout(x: tape, lists: lists, rows: of[2 * layers], g: g, workspace: workspace)
        for layer in (0..<layers).reversed() {
            let tokens = encoder.tokens(after: layer)
            try keep(.residPost, layer, g, tokens: tokens)
            try keep(.mlpOut, layer, g, tokens: tokens)
            try hidden(layer)
            try backward.mlpOutput(layer: layer, g: g, count: count, workspace: workspace)
            try keepInner(.mlpAct, .mlpAct, layer)
            try backward.activate(layer: layer, lists: lists, slots: images, forward: forward, workspace: workspace)
            try keepInner(.mlpPre, .mlpPre, layer)
            try backward.mlpInput(
                layer: layer, x: tape, lists: lists, rows: of[2 * layer + 1], g: g, workspace: workspace)
            try keep(.residMid, layer, g, tokens: tokens)
            try keep(.attnOut, layer, g, tokens: tokens)
            try inside(layer)
            try backward.attentionOutput(layer: layer, g: g, count: count, workspace: workspace)
            try keepInner(.z, .z, layer)
            try backward.attend(layer: layer, lists: lists, slots: images, forward: forward, workspace: workspace)
            try keepInner(.q, .q, layer)
            try keepInner(.k, .k, layer)
            try keepInner(.v, .v, layer)
            try backward.attentionInput(
                layer: layer, x: tape, lists: lists, rows: of[2 * layer], g: g, out: other, workspace: workspace)
            (g, other) = (other, g)
            try keep(.residPre, layer, g, tokens: t)
        }
        try keep(.embed, 0, g, tokens: t)
        return found
    }
}
