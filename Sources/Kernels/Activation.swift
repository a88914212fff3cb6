import CLRuntime

/// The activation functions of MLPs; raw values as in `epilogue.cl`.
package enum ActivationKind: Int32, Sendable, CaseIterable {
    case none = 0, gelu, geluNew, quickGelu, relu, silu, mish
}

/// A kernel that ends in the epilogue, compiled for each activation at its first use. See `epilogue.cl`.
final class EpilogueKernel {
    private let compile: (ActivationKind) throws(CLError) -> (kernel: Kernel, group: Int)
    private var kernels: [ActivationKind: (kernel: Kernel, group: Int)] = [:]

    init(
        _ library: KernelLibrary, _ file: KernelFile, _ name: String, defines: [String: Int] = [:]
    ) throws(CLError) {
        compile = { activation throws(CLError) in
            let (kernels, group) = try library.grouped(
                file, name, defines: defines.merging(["ACTIVATION": Int(activation.rawValue)]) { $1 })
            return (kernels[0], group)
        }
        kernels[.none] = try compile(.none)
    }

    /// The kernel and its work-group size
    func callAsFunction(_ activation: ActivationKind) throws(CLError) -> (kernel: Kernel, group: Int) {
        if let kernel = kernels[activation] { return kernel }
        let kernel = try compile(activation)
        kernels[activation] = kernel
        return kernel
    }
}

/// `out = act(out + bias)` in place, or added to the residual stream: the epilogue for GEMM providers without one. See
/// `bias_activation.cl`.
package struct BiasActivation {
    private let kernel: EpilogueKernel

    package init(_ library: KernelLibrary) throws(CLError) {
        kernel = try EpilogueKernel(library, .biasActivation, "bias_activation")
    }

    /// - Parameters:
    ///   - out: [rows, width], row stride `stride`, first row at element `offset`
    ///   - bias: [width]
    package func callAsFunction(
        out: Buffer<Float>, offset: Int = 0, stride: Int, rows: Int, width: Int, bias: Buffer<Float>,
        activation: ActivationKind, residual: ResidualRows? = nil
    ) throws(CLError) {
        try residual?.validate("bias_activation", rows: rows, width: width)
        guard offset >= 0, stride >= width, rows == 0 || offset + (rows - 1) * stride + width <= out.count,
            bias.count == width
        else {
            throw .shape(
                operation: "bias_activation", expected: "\(rows) rows of \(width)",
                got: "\(out.count) and bias \(bias.count)")
        }
        let (kernel, group) = try kernel(activation)
        try kernel.launch(
            global: [group, rows], local: [group, 1],
            [
                "out": out, "offset": offset, "stride": stride, "width": width, "bias": bias, "x": residual.buffer,
                "rowStride": residual.rowStride, "lists": residual.listBuffer, "first": residual.first,
                "tokens": residual.tokens,
            ])
    }
}

/// `out = act(in)` from one buffer to another. See `bias_activation.cl`.
package struct Activate {
    private let kernel: Kernel
    private let vector: Int

    package init(_ library: KernelLibrary) throws(CLError) {
        kernel = try library.kernel(.biasActivation, "activate")
        vector = library.tuning.vector
    }

    /// - Parameter range: elements of both buffers
    package func callAsFunction(
        input: Buffer<Float>, out: Buffer<Float>, range: Range<Int>, activation: ActivationKind
    ) throws(CLError) {
        guard range.lowerBound >= 0, range.upperBound <= min(input.count, out.count) else {
            throw .shape(operation: "activate", expected: "elements of both buffers", got: "\(range)")
        }
        if range.isEmpty { return }
        try kernel.launch(
            global: [(range.count + vector - 1) / vector],
            [
                "in": input, "out": out, "offset": range.lowerBound,
                "count": range.count, "activation": activation.rawValue,
            ])
    }
}

/// `out = act(gate) * up`: the hidden layer of a gated MLP. See `activate_gated` in `bias_activation.cl`.
package struct ActivateGated {
    private let kernel: Kernel
    private let vector: Int

    package init(_ library: KernelLibrary) throws(CLError) {
        kernel = try library.kernel(.biasActivation, "activate_gated")
        vector = library.tuning.vector
    }

    /// - Parameters:
    ///   - input: [rows, 2 * width], gate and up side by side, from element `inOffset` on
    ///   - out: [rows, width], from element `outOffset` on
    package func callAsFunction(
        input: Buffer<Float>, inOffset: Int, out: Buffer<Float>, outOffset: Int, rows: Int, width: Int,
        activation: ActivationKind
    ) throws(CLError) {
        guard inOffset >= 0, outOffset >= 0, rows >= 0, inOffset + 2 * rows * width <= input.count,
            outOffset + rows * width <= out.count
        else {
            throw .shape(
                operation: "activate_gated", expected: "\(rows) rows of \(width)",
                got: "\(input.count) and \(out.count)")
        }
        try kernel.launch(
            global: [(width + vector - 1) / vector, rows],
            [
                "in": input, "inOffset": inOffset, "out": out, "outOffset": outOffset, "width": width,
                "activation": activation.rawValue,
            ])
    }
}
