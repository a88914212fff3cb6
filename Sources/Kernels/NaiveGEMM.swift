import CLRuntime

/// One work-item per value of the result: the baseline of the other providers. See `naive.cl`.
package final class NaiveGEMM: GEMM {
    package let name = "naive"
    private let context: Context
    private let kernel: EpilogueKernel

    package init(_ library: KernelLibrary) throws(CLError) {
        context = library.context
        kernel = try EpilogueKernel(library, .naive, "gemm_naive")
    }

    private final class Weight: GEMMWeight {
        let weight: Buffer<Float>, bias: Buffer<Float>
        let outputs: Int, inputs: Int

        init(weight: Buffer<Float>, bias: Buffer<Float>, outputs: Int, inputs: Int) {
            (self.weight, self.bias, self.outputs, self.inputs) = (weight, bias, outputs, inputs)
        }
    }

    package func prepare(
        weight: [Float], bias: [Float], outputs: Int, inputs: Int
    ) throws(CLError) -> any GEMMWeight {
        try validate(weight, bias, outputs: outputs, inputs: inputs)
        return Weight(
            weight: try Buffer(context, weight), bias: try Buffer(context, bias), outputs: outputs, inputs: inputs)
    }

    package func callAsFunction(
        a: Matrix, weight: any GEMMWeight, rows: Int, activation: ActivationKind, out: Matrix, residual: ResidualRows?
    ) throws(CLError) {
        let weight = try validated(weight, as: Weight.self, a, rows, out, residual)
        try kernel(activation).kernel.launch(
            global: [weight.outputs, rows],
            [
                "a": a.buffer, "aOffset": a.offset, "aStride": a.stride, "w": weight.weight, "bias": weight.bias,
                "K": weight.inputs, "out": out.buffer, "outOffset": out.offset, "outStride": out.stride,
                "x": residual.buffer, "rowStride": residual.rowStride, "lists": residual.listBuffer,
                "first": residual.first, "tokens": residual.tokens,
            ])
    }

    package func temporaryBytes(rows: Int, outputs: Int, inputs: Int) -> Int { 0 }
}
