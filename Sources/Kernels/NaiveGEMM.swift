import CLRuntime

/// One work-item a value of the result: what the other providers are measured against. See `naive.cl`.
package final class NaiveGEMM: GEMM {
    package let name = "naive"
    private let context: Context
    private let kernel: Kernel

    package init(_ library: KernelLibrary) throws(CLError) {
        context = library.context
        kernel = try library.kernel(.naive, "gemm_naive")
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
        guard let weight = weight as? Weight else {
            throw .shape(operation: "gemm", expected: "a weight of this provider", got: "another provider's")
        }
        try validate(a, weight, rows, out, residual)
        try kernel.launch(
            global: [weight.outputs, rows],
            [
                "a": a.buffer, "aOffset": try Int32.checked(a.offset, "aOffset"),
                "aStride": try Int32.checked(a.stride, "aStride"), "w": weight.weight, "bias": weight.bias,
                "K": try Int32.checked(weight.inputs, "K"), "activation": activation.rawValue, "out": out.buffer,
                "outOffset": try Int32.checked(out.offset, "outOffset"),
                "outStride": try Int32.checked(out.stride, "outStride"), "x": residual.buffer,
                "rowStride": try residual.rowStride, "lists": residual.listBuffer, "first": try residual.first,
                "tokens": try residual.tokens,
            ])
    }

    package func temporaryBytes(rows: Int, outputs: Int, inputs: Int) -> Int { 0 }
}
