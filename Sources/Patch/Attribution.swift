import CLRuntime
import Foundation
import Kernels
import ViT

/// The estimates of a wave's images, with the metrics of its passes.
package struct AttributionResult: Sendable {
    /// Clean and corrupted passes; no patched ones
    package var wave: WaveResult
    /// The estimated change of each metric by each patch, patched minus receiving pass:
    /// [`Estimates.names`][images][patches]
    package var values: [[[Float]]]
}

extension AttributionResult {
    /// Appends the results of further images with the same patches
    mutating func append(_ other: AttributionResult) {
        wave.clean += other.wave.clean
        wave.corrupted += other.wave.corrupted
        wave.donor = wave.donor.flatMap { own in other.wave.donor.map { own + $0 } }
        wave.targets += other.wave.targets
        wave.foils += other.wave.foils
        for index in values.indices { values[index] += other.values[index] }
    }
}

/// Estimates of every patch's effect from gradients.
///
/// The estimate for a place is the gradient of the metric there, times the difference of the source's and the
/// receiver's activation (attribution patching: Nanda 2023; Syed, Rager and Conmy 2023). `atp` uses the receiving
/// pass's gradient, `ig:N` the mean of the gradients at N midpoints between the two passes' inputs (Hanna, Pezzelle and
/// Belinkov 2024, after Sundararajan, Taly and Yan 2017). For q, k and pattern, z is recomputed with the source's
/// activation, and its change is multiplied by the gradient at z (AtP*: Kramár et al. 2024).
///
/// The forward pass keeps the residual stream of every layer. The backward pass goes from the last layer to the first
/// and recomputes each layer's activations along with its gradients.
package final class Attribution {
    let encoder: Encoder
    let context: Context
    let backward: Backward
    let work: AttributionWork
    let shape: AttributionShape
    let sources: Schedule.Sources
    let patches: [Patch]
    let means: ActivationMeans?
    let file: ActivationFile?
    let input: WaveUpload
    private let metrics: Metrics
    let contract: Contract
    let keyTokens: KeyTokens
    let residual: Residual

    /// Residual streams: regions of `regionRows` rows, resid_pre and resid_mid of each layer, then the last resid_post
    let x: Buffer<Float>  // [(2 L + 1) * regionRows, T, D]
    let o: Buffer<Float>  // [regionRows, T, D]
    let workspace: Workspace
    let backwardWorkspace: Backward.Workspace
    /// Gradients at a place on the stream; the two buffers alternate
    var g: Buffer<Float>, other: Buffer<Float>  // [gradients, T, D]
    let mixed: Buffer<Float>  // [images, T, D]  z with the source's queries, keys or patterns
    private let logits: Buffer<Float>  // [rows, C]
    private let out: Buffer<Float>  // [rows, 6], [images, 2]
    let tables: Buffer<Float>  // each table [series, images, cells]
    var walks: [Int: [AttributionWalk]] = [:]
    /// The indices in the file of the current wave's images
    var filePositions: [Int] = []

    init(
        encoder: Encoder, donor: Encoder?, backward: Backward, library: KernelLibrary, work: AttributionWork,
        shape: AttributionShape, sources: Schedule.Sources, patches: [Patch], means: ActivationMeans?,
        file: ActivationFile?
    ) throws(CLError) {
        (self.encoder, self.backward, self.work, self.shape) = (encoder, backward, work, shape)
        (self.sources, self.patches, self.means, self.file) = (sources, patches, means, file)
        context = encoder.context
        metrics = try Metrics(library)
        contract = try Contract(library)
        keyTokens = try KeyTokens(
            library, headDim: encoder.config.headDim, hasScoreBias: encoder.config.architecture.hasScoreBias)
        residual = try Residual(library)
        let counts = work.counts(shape, encoder.config, donor: donor?.config)
        input = try WaveUpload(
            encoder: encoder, donor: donor, extras: work.extras, hasMeans: means != nil, hasFile: file != nil,
            counts: (counts.input, counts.words))
        x = try Buffer(context, count: counts.stream)
        o = try Buffer(context, count: counts.output)
        workspace = try Workspace(
            context, config: WaveShape.workspaceConfig(encoder.config, donor: donor?.config),
            shape: work.workspace(shape))
        backwardWorkspace = try Backward.Workspace(
            context, config: encoder.config, rows: max(1, shape.images * work.backwardPassesPerImage(shape)))
        g = try Buffer(context, count: counts.gradient)
        other = try Buffer(context, count: counts.gradient)
        mixed = try Buffer(context, count: counts.mixed)
        logits = try Buffer(context, count: counts.logits)
        out = try Buffer(context, count: counts.metrics)
        tables = try Buffer(context, count: counts.tables)
    }

    /// Estimates every patch on some images.
    /// - Throws: `CLError`, and `NonFinite` where a pass's logits, or an estimate, are not finite
    func run(_ wave: Wave) throws -> AttributionResult {
        let images = wave.labels.count
        let passes = try input.sourcePasses(wave, patches: patches)
        guard images > 0, images <= shape.images else {
            throw CLError.shape(
                operation: "attribution", expected: "1 to \(shape.images) images", got: "\(images)")
        }
        filePositions = wave.filePositions
        context.stage("upload")
        let offsets = try input.upload(wave, passes)
        var result: WaveResult?
        for walk in try walks(images: images) {
            try input.embed(wave, passes, offsets, x: x, workspace: workspace)
            try midpoints(walk)
            try forward(walk)
            let found = try readout(walk, wave, passes)
            if let image = found.firstNonFinite {
                throw NonFinite(image: image, place: "the classifier's output")
            }
            if result == nil { result = found }
            try backward(walk)
        }
        guard let result else { throw CLError.shape(operation: "attribution", expected: "a walk", got: "none") }
        let cells = try tables.read(0..<(work.series * images * work.layout.cells))
        let values = values(cells, result, images: images)
        if let image = (0..<images).first(where: { image in
            values.contains { $0[image].contains { !$0.isFinite } }
        }) {
            throw NonFinite(image: image, place: "a gradient")
        }
        return AttributionResult(wave: result, values: values)
    }

    /// Logits of every pass, the metrics of the clean and corrupted ones, and the metrics' gradients.
    private func readout(
        _ walk: AttributionWalk, _ wave: Wave, _ passes: [WaveUpload.SourcePass]
    ) throws(CLError) -> WaveResult {
        context.stage("classifier")
        let classes = encoder.config.classes, images = walk.images, final = walk.region(2 * encoder.config.layers)
        let donorBlock = input.donorBlock(passes)
        let rows = walk.blocks * images
        for block in 0..<walk.blocks where block < work.computed || block >= work.computed + work.given {
            // The logits of a donor with other classes are not needed.
            let isDonor = block < work.computed && sources.models[block] == 1
            if isDonor, block != donorBlock { continue }
            let range = (final + block * images)..<(final + (block + 1) * images)
            try input.model(isDonor ? 1 : 0).logits(
                x: x, lists: walk.lists, list: range, out: logits, offset: block * images * classes,
                workspace: workspace)
        }
        context.stage("metrics")
        try metrics(
            logits: logits, classes: classes, rows: rows, images: images, foils: wave.foilRows, labels: input.words,
            out: out)
        let values = try out.read(0..<Metrics.count(rows: rows, images: images))
        if walk.backwardPassCount > 0 {
            try backward.metricGradient(
                logits: logits, lists: walk.lists, rows: walk.slots, images: walk.imagesOfGradients,
                metrics: walk.metricsOfGradients, targets: out, offset: rows * Metrics.valuesPerRow,
                workspace: backwardWorkspace)
        }
        return WaveResult(
            metrics: values, rows: rows, images: images, corruptedBlock: wave.corrupted == nil ? 0 : 1,
            donorBlock: donorBlock)
    }

    /// Sums each patch's cells.
    /// - Parameter cells: [series, images, cells] of every table
    private func values(_ cells: [Float], _ result: WaveResult, images: Int) -> [[[Float]]] {
        let estimates = work.estimates, differentiated = estimates.differentiatedMetrics, layout = work.layout
        /// [images][patches]
        func sums(_ method: Int, _ gradient: Int) -> [[Double]] {
            let series = method * differentiated.count + gradient
            return (0..<images).map { image in
                layout.terms.map { _, terms in
                    terms.reduce(0) { sum, term in
                        let table = layout.tables[term.table]
                        let first = (table.start * work.series + table.cells * series) * images + image * table.cells
                        return sum + Self.sum(cells, from: first, table, term)
                    }
                }
            }
        }
        return estimates.methods.indices.flatMap { method -> [[[Float]]] in
            let byGradient = differentiated.indices.map { sums(method, $0) }
            return estimates.metrics.map { metric in
                let wanted = metric == .p ? .logOdds : metric
                guard let gradient = differentiated.firstIndex(of: wanted) else { return [] }
                return byGradient[gradient].enumerated().map { image, sums in
                    metric == .p ? probabilities(sums, result, image: image) : sums.map { Float($0) }
                }
            }
        }
    }

    /// The change of the probability by an estimated change of the log-odds: p's own gradient vanishes where it
    /// saturates.
    private func probabilities(_ logOdds: [Double], _ result: WaveResult, image: Int) -> [Float] {
        zip(logOdds, work.layout.terms).map { change, terms in
            let base = work.layout.pairs[terms.pair].base == 0 ? result.clean[image] : result.corrupted[image]
            let before = Double(base.logOdds)
            // sigmoid(a + b) - sigmoid(a), without the difference of two numbers near 1
            func sigmoid(_ x: Double) -> Double { x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)) }
            let after = before + change
            return Float(
                before > 0 && after > 0
                    ? sigmoid(-before) - sigmoid(-after) : sigmoid(after) - sigmoid(before))
        }
    }

    private static func sum(
        _ cells: [Float], from first: Int, _ table: EstimateLayout.Table, _ term: EstimateLayout.Term
    ) -> Double {
        var sum = 0.0
        func add(_ row: Int) {
            let start = first + row * table.groups
            if let groups = term.groups {
                for group in groups { sum += Double(cells[start + group]) }
            } else {
                for group in 0..<table.groups { sum += Double(cells[start + group]) }
            }
        }
        if let rows = term.rows { rows.forEach(add) } else { (0..<table.rows).forEach(add) }
        return sum
    }
}
