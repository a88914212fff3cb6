import CLRuntime

/// The gradient of a metric at the logits. See `metric_gradient.cl`.
package struct MetricGradient {
    private let kernel: Kernel
    private let group: Int

    /// The metric to differentiate; raw values as in the lists
    package enum Metric: Int32, Sendable, CaseIterable {
        /// logit[target] - logsumexp(the other logits)
        case logOdds = 0
        /// logit[target] - logit[foil]
        case logitDifference
        /// logit[target]
        case logit
    }

    package init(_ library: KernelLibrary) throws(CLError) {
        let (kernels, group) = try library.grouped(.metricGradient, "metric_gradient")
        (kernel, self.group) = (kernels[0], group)
    }

    /// - Parameters:
    ///   - logits: [*, C]
    ///   - rows, images, metrics: ranges of the lists with each gradient's row of `logits`, image and `Metric`
    ///   - targets: an image's target at `offset + 2 * image`, followed by its foil
    ///   - out: [rows.count, C]
    package func callAsFunction(
        logits: Buffer<Float>, classes: Int, lists: Buffer<Int32>, rows: Range<Int>, images: Range<Int>,
        metrics: Range<Int>, targets: Buffer<Float>, offset: Int, out: Buffer<Float>
    ) throws(CLError) {
        guard [rows, images, metrics].allSatisfy({ $0.lowerBound >= 0 && $0.upperBound <= lists.count }),
            images.count == rows.count, metrics.count == rows.count, classes > 0, classes <= logits.count, offset >= 0,
            offset + 2 <= targets.count, rows.count * classes <= out.count
        else {
            throw .shape(
                operation: "metric_gradient", expected: "\(rows.count) rows of \(classes) logits, images and metrics",
                got: "\(images.count) images, \(metrics.count) metrics and room for \(out.count) values")
        }
        try kernel.launch(
            global: [group * rows.count], local: group > 1 ? [group] : nil,
            [
                "logits": logits, "C": classes, "lists": lists, "rows": rows.lowerBound, "images": images.lowerBound,
                "metrics": metrics.lowerBound, "targets": targets, "offset": offset, "out": out,
                "scratch": LocalMemory(bytes: 4 * group),
            ])
    }
}
