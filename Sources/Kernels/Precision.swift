import CLRuntime

/// The arithmetic of matrix products. Sums, biases, activations, the softmax and the residual stream are fp32 in all of
/// them.
///
/// Lower precisions run on matrix units. The split ones, bf16x3 and fp16x3, take each factor as the sum of two numbers,
/// hi = round(x) and lo = round(x - hi), and leave lo lo' out: three products for nearly fp32's exactness (Henry, Tang
/// and Heinecke 2019, "Leveraging the bfloat16 artificial intelligence datatype for higher-precision computations").
package enum Precision: String, Sendable, CaseIterable, Codable {
    case fp32, bf16x3, fp16x3, tf32, fp16, bf16

    /// What a product of two factors may be off by, relative to it: their roundings, and what a split leaves out.
    package var productError: Double {
        switch self {
        case .fp32: 0
        case .bf16x3: 3 * 0x1p-16
        case .fp16x3: 3 * 0x1p-22
        case .tf32, .fp16: 2.01 * 0x1p-11
        case .bf16: 2.01 * 0x1p-8
        }
    }

    /// Whether results are nearly fp32's: within 2e-5 in probability on the models measured (docs/performance.md).
    package var isExact: Bool { self == .fp32 || isSplit }

    /// Whether factors are sums of two numbers.
    package var isSplit: Bool { self == .bf16x3 || self == .fp16x3 }

    /// Whether numbers beyond 65504 become infinite.
    package var hasShortRange: Bool { self == .fp16 || self == .fp16x3 }

    /// What a device's matrix units can do: NVIDIA's of compute capability 8.0 and later all of these; CPUs' (AMX) bf16x3
    /// and bf16 beside fp32; others fp32.
    package static func available(on device: Device) -> [Precision] {
        device.hasTensorCores ? allCases : [.fp32] + (AMX.isUsable(on: device) ? AMXGEMM.precisions : [])
    }

    /// `MODE` of mma.cl
    var mode: Int {
        switch self {
        case .fp32: 0
        case .bf16x3: 1
        case .bf16: 2
        case .fp16: 3
        case .fp16x3: 4
        case .tf32: 5
        }
    }
}
