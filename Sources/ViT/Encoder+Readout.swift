import CLRuntime
import Kernels

extension Encoder {
    /// The classifier's logits for the rows `lists[list]`, from what the architecture's readout reads.
    /// - Parameter out: [list.count, C] from element `offset` on
    package func logits(
        x: Buffer<Float>, lists: Buffer<Int32>, list: Range<Int>, out: Buffer<Float>, offset: Int = 0,
        workspace: Workspace
    ) throws(CLError) {
        let readout = config.architecture.readout, width = config.readoutWidth
        // First tokens need no buffer beside that of their norm, so many rows are read at a time.
        let parts = readout.parts.count
        let rows = readout.isFirstTokens ? max(workspace.rows * config.tokens / parts, 1) : workspace.rows
        for chunk in chunks(list, of: rows) {
            let features: Buffer<Float>
            if readout.isFirstTokens {
                try layerNorm(
                    input: x, rowStride: rowStride, rows: lists, list: chunk, tokens: parts, weight: lnWeight,
                    bias: lnBias, eps: config.layerNormEps, out: workspace.normed)
                features = workspace.normed
            } else {
                features = try pooled(x: x, lists: lists, list: chunk, workspace: workspace)
            }
            try gemm(
                a: Matrix(features, stride: width), weight: head, rows: chunk.count, activation: .none,
                out: Matrix(
                    out, offset: offset + (chunk.lowerBound - list.lowerBound) * config.classes,
                    stride: config.classes))
        }
    }

    /// Tokens and means of the rows `lists[list]`, normed as the readout says: [list.count, parts, D].
    private func pooled(
        x: Buffer<Float>, lists: Buffer<Int32>, list: Range<Int>, workspace: Workspace
    ) throws(CLError) -> Buffer<Float> {
        let readout = config.architecture.readout, (t, d) = (config.tokens, config.hiddenSize)
        let width = config.readoutWidth, isNormed = readout.norm == .before
        if isNormed {
            try layerNorm(
                input: x, rowStride: rowStride, rows: lists, list: list, tokens: t, weight: lnWeight, bias: lnBias,
                eps: config.layerNormEps, out: workspace.normed)
        }
        for (part, tokens) in readout.ranges(of: t).enumerated() {
            try pool(
                input: isNormed ? workspace.normed : x, rowStride: rowStride, rows: isNormed ? nil : lists,
                list: isNormed ? 0..<list.count : list, tokens: tokens, width: d, out: workspace.features,
                offset: part * d, stride: width)
        }
        guard readout.norm == .after else { return workspace.features }
        try layerNorm(
            input: workspace.features, rowStride: list.count * width, rows: firstRow, list: 0..<1,
            tokens: list.count * readout.parts.count, weight: lnWeight, bias: lnBias, eps: config.layerNormEps,
            out: workspace.normed)
        return workspace.normed
    }
}
