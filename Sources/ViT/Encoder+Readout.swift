import CLRuntime
import Kernels

extension Encoder {
    /// The classifier's logits for the rows `lists[list]`, from what the architecture's readout reads.
    /// - Parameter out: [list.count, C] from element `offset` on
    package func logits(
        x: Buffer<Float>, lists: Buffer<Int32>, list: Range<Int>, out: Buffer<Float>, offset: Int = 0,
        workspace: Workspace
    ) throws(CLError) {
        switch config.architecture.readout {
        case .firstToken:
            for chunk in chunks(list, of: workspace.rows * config.tokens) {
                try layerNorm(
                    input: x, rowStride: rowStride, rows: lists, list: chunk, tokens: 1, weight: lnWeight, bias: lnBias,
                    eps: config.layerNormEps, out: workspace.normed)
                try gemm(
                    a: Matrix(workspace.normed, stride: config.hiddenSize), weight: head, rows: chunk.count,
                    activation: .none,
                    out: Matrix(
                        out, offset: offset + (chunk.lowerBound - list.lowerBound) * config.classes,
                        stride: config.classes))
            }
        }
    }
}
