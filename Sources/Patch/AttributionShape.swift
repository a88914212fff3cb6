import CLRuntime
import Kernels
import ViT

/// The estimates of every patch: each method with each metric.
package struct Estimates: Sendable, Equatable {
    package var methods: [EstimateMethod]
    package var metrics: [EstimateMetric]

    package init(methods: [EstimateMethod], metrics: [EstimateMetric]) {
        (self.methods, self.metrics) = (methods, metrics)
    }

    /// `atp_log_odds`, `ig5_p`
    package var names: [String] { all.map(\.name) }
    /// By method, then metric
    package var all: [Estimate] { methods.flatMap { method in metrics.map { Estimate(method, of: $0) } } }

    /// Whether a method needs midpoints between the receiver's and the source's input
    package var hasMidpoints: Bool { methods.contains { $0 != .atp } }

    /// The metrics that are differentiated: log-odds for p
    var differentiatedMetrics: [EstimateMetric] {
        [.logOdds, .logitDiff, .logit].filter { metrics.contains($0) || ($0 == .logOdds && metrics.contains(.p)) }
    }
}

/// The size of an attribution's wave.
struct AttributionShape: Equatable {
    /// B
    var images: Int
    /// Midpoints of `ig` in one walk through the network
    var midpoints: Int
}

/// The parts of an attribution that do not depend on the size of its waves.
struct AttributionWork {
    /// A midpoint between the receiver's and the source's input
    struct Midpoint {
        /// Indices of its method and of its pair in the layout
        var method: Int, pair: Int
        /// The fraction of the way from the receiver's input to the source's
        var position: Float
        /// Its gradient's weight in the mean
        var weight: Float
        /// Whether its cells are added to those of earlier midpoints
        var accumulates: Bool
    }

    let estimates: Estimates
    let layout: EstimateLayout
    let extras: WaveShape.Extras
    /// Number of computed blocks of passes, and of given ones
    let computed: Int, given: Int
    /// Index of `atp` among the methods
    let atp: Int?
    /// Blocks that are receiving passes
    let bases: [Int]
    let midpoints: [Midpoint]
    /// T and D
    let tokens: Int, width: Int

    init(
        _ estimates: Estimates, layout: EstimateLayout, sources: Schedule.Sources, extras: WaveShape.Extras,
        config: ViTConfig
    ) {
        (self.estimates, self.layout, self.extras) = (estimates, layout, extras)
        (tokens, width) = (config.tokens, config.hiddenSize)
        (computed, given) = (sources.models.count, sources.given.count)
        atp = estimates.methods.firstIndex(of: .atp)
        bases = Set(layout.pairs.map(\.base)).sorted()
        midpoints = estimates.methods.enumerated().flatMap { index, method -> [Midpoint] in
            guard case .ig(let steps) = method else { return [] }
            return layout.pairs.indices.flatMap { pair in
                (0..<steps).map { step in
                    Midpoint(
                        method: index, pair: pair, position: (Float(step) + 0.5) / Float(steps),
                        weight: 1 / Float(steps), accumulates: step > 0)
                }
            }
        }
    }

    /// Number of values per cell: one for each method and gradient.
    var series: Int { estimates.methods.count * estimates.differentiatedMetrics.count }

    /// Maximum number of computed and given passes per image
    func blocks(_ shape: AttributionShape) -> Int { computed + given + shape.midpoints }

    /// Maximum number of backward passes per image
    func backwardPassesPerImage(_ shape: AttributionShape) -> Int {
        ((atp == nil ? 0 : bases.count) + shape.midpoints) * estimates.differentiatedMetrics.count
    }

    func workspace(_ shape: AttributionShape) -> Workspace.Shape {
        Workspace.Shape(
            rows: shape.images * (blocks(shape) + (layout.mixesKeys ? 1 : 0)), kept: .pre)
    }

    /// Elements of every buffer besides the weights, by name.
    func buffers(_ shape: AttributionShape, _ models: PlannedModels) throws(CLError) -> [(name: String, elements: Int)]
    {
        let config = models.config, sizes = counts(shape, config, donor: models.donor)
        let space = workspace(shape), rows = max(1, shape.images * backwardPassesPerImage(shape))
        return [
            ("the residual stream of every layer", sizes.stream), ("the stages' outputs", sizes.output),
            ("gradients", sizes.gradient), ("gradients", sizes.gradient), ("attention's output", sizes.mixed),
            ("logits", sizes.logits), ("metrics", sizes.metrics), ("estimates", sizes.tables),
            ("row lists", sizes.lists), ("pixels", sizes.input), ("classes and noise words", sizes.words),
        ]
            + Workspace.counts(WaveShape.workspaceConfig(config, donor: models.donor), space).map {
                ("activations of a stage", $0)
            }
            + Backward.Workspace.counts(config, rows: rows).map { ("gradients of a stage", $0) }
            + (try models.temporariesOfGradients(space, rows).map { ("the GEMM's temporary", ($0 + 3) / 4) })
    }

    struct Counts {
        var stream, output, gradient, mixed, logits, metrics, tables, lists, input, words: Int
    }

    func counts(_ shape: AttributionShape, _ config: ViTConfig, donor: ViTConfig?) -> Counts {
        let row = config.tokens * config.hiddenSize, images = shape.images, blocks = blocks(shape)
        let gradientRows = max(1, images * backwardPassesPerImage(shape)), regions = 2 * config.layers + 1
        let wave = WaveShape(images: images, patches: 0, chunkRows: 1, extras: extras)
            .counts(config, donor: donor)
        let uses = (atp == nil ? 0 : layout.pairs.count) + shape.midpoints
        let tokenLists = layout.tables.map { if case .keys(let tokens?) = $0.key.cells { tokens.count } else { 0 } }
        return Counts(
            stream: regions * images * blocks * row, output: images * blocks * row, gradient: gradientRows * row,
            mixed: images * row, logits: images * blocks * config.classes,
            metrics: Metrics.count(rows: images * blocks, images: images),
            tables: max(1, series * images * layout.cells),
            lists: regions * images * blocks + gradientRows * (regions + 3) + 3 * images * shape.midpoints
                + 2 * uses * estimates.differentiatedMetrics.count * images * ContractEntry.size
                + tokenLists.reduce(0, +) + 2 * images * SliceEntry.size * tokenLists.count,
            input: wave.input, words: wave.words)
    }
}
