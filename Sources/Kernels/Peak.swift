import CLRuntime

/// Measures the device's peak rates: fma in a loop, and a copy. See `peak.cl`.
package struct Peak {
    private let fmaKernel: Kernel
    private let copyKernel: Kernel
    private let device: Device
    private let vector: Int
    private static let chains = 16, rounds = 4096, copies = 64

    package init(_ library: KernelLibrary) throws(CLError) {
        (device, vector) = (library.context.device, library.tuning.vector)
        let defines = ["CHAINS": Self.chains, "ROUNDS": Self.rounds, "COPIES": Self.copies]
        fmaKernel = try library.kernel(.peak, "peak_fma", defines: defines)
        copyKernel = try library.kernel(.peak, "peak_copy", defines: defines)
    }

    private var items: Int { device.isGPU ? device.computeUnits * 2048 : device.computeUnits * 64 }
    private var group: Int { device.isGPU ? 128 : 1 }

    /// Floats of `out` that `fma` needs
    package var outputs: Int { items }
    /// Floating-point operations of one `fma`
    package var flops: Int { items * Self.rounds * Self.chains * vector * 2 }

    package func fma(out: Buffer<Float>) throws(CLError) {
        guard out.count >= items else {
            throw .shape(operation: "peak_fma", expected: "\(items) values", got: "\(out.count)")
        }
        try fmaKernel.launch(global: [items], local: [group], ["out": out, "seed": Float(1e-6)])
    }

    /// Copies as much of `input` as whole groups cover.
    /// - Returns: bytes read and written
    @discardableResult
    package func copy(input: Buffer<Float>, out: Buffer<Float>) throws(CLError) -> Int {
        let step = group * Self.copies * vector
        let groups = min(input.count, out.count) / step
        try copyKernel.launch(global: [groups * group], local: [group], ["in": input, "out": out])
        return groups * step * 2 * MemoryLayout<Float>.size
    }
}
