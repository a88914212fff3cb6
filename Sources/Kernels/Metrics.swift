import CLRuntime

/// Softmax probability, log-odds, logit difference, KL and prediction of every pass, on the device. See `metrics.cl`.
package struct Metrics {
    private let targetsKernel: Kernel
    private let rowsKernel: Kernel
    private let group: Int
    /// Floats per row of the result
    package static let valuesPerRow = 6

    package init(_ library: KernelLibrary) throws(CLError) {
        let (kernels, group) = try library.grouped(.metrics, "metric_targets", "metric_rows")
        (targetsKernel, rowsKernel, self.group) = (kernels[0], kernels[1], group)
    }

    /// Floats of `out` for `rows` rows and `images` images
    package static func count(rows: Int, images: Int) -> Int { rows * valuesPerRow + images * 2 }

    /// - Parameters:
    ///   - logits: [rows, C]; rows 0 ..< images are clean, and row r belongs to image r % images
    ///   - foils: first rows of the two passes whose mean logits choose a foil; equal for a single pass
    ///   - labels: [images] target classes, -1 for the clean pass's prediction, then [images] foils, -1 to choose one
    ///   - out: [rows, 6] (p, logit, logit difference, KL, argmax, log-odds), then [images, 2] (target, foil)
    package func callAsFunction(
        logits: Buffer<Float>, classes: Int, rows: Int, images: Int, foils: (Int, Int),
        labels: Buffer<Int32>, out: Buffer<Float>
    ) throws(CLError) {
        guard rows * classes <= logits.count, 2 * images <= labels.count,
            min(foils.0, foils.1) >= 0, max(foils.0, foils.1) + images <= rows,
            Self.count(rows: rows, images: images) <= out.count
        else {
            throw .shape(operation: "metrics", expected: "\(rows) rows of \(classes) logits", got: "\(logits.count)")
        }
        let targets = rows * Self.valuesPerRow, scratch = LocalMemory(bytes: 4 * group)
        try targetsKernel.launch(
            global: [group * images], local: group > 1 ? [group] : nil,
            [
                "logits": logits, "C": classes, "labels": labels, "images": images, "first": foils.0, "second": foils.1,
                "out": out, "targets": targets, "scratch": scratch, "classes": scratch,
            ])
        try rowsKernel.launch(
            global: [group * rows], local: group > 1 ? [group] : nil,
            [
                "logits": logits, "C": classes, "images": images, "out": out, "targets": targets, "scratch": scratch,
                "classes": scratch,
            ])
    }
}
