import CLRuntime

/// How our kernels are compiled for a device. Fixed for a context, so that no result depends on the work it ran with.
package struct Tuning: Sendable, Equatable, Codable {
    /// Floats in a vector load: `V`
    package var vector: Int
    /// Work-items that share one token: `WG`
    package var group: Int
    /// Queries in a vector of the attention kernel (`QL`), and queries of a work-group that shares keys and values
    /// through local memory (`BQ`); one of them is 1
    package var attentionLanes: Int
    package var attentionGroup: Int

    /// CPUs: one work-item a row, vectors as wide as the machine's. GPUs: a group a row, 16-byte loads.
    package init(device: Device) {
        if device.isGPU {
            (vector, group, attentionLanes, attentionGroup) = (4, 64, 1, 64)
        } else {
            let width = [16, 8, 4].first { $0 <= device.vectorWidth } ?? 4
            (vector, group, attentionLanes, attentionGroup) = (width, 1, width, 1)
        }
    }

    /// One float, one work-item: what the naive kernels are written for.
    package static let scalar = Tuning(vector: 1, group: 1, attentionLanes: 1, attentionGroup: 1)

    package init(vector: Int, group: Int, attentionLanes: Int, attentionGroup: Int) {
        self.vector = vector
        self.group = group
        self.attentionLanes = attentionLanes
        self.attentionGroup = attentionGroup
    }
}

/// Compiles our kernels for one context; each program once.
package final class KernelLibrary {
    package let context: Context
    package let tuning: Tuning
    /// The arithmetic of products inside kernels, attention's
    package let precision: Precision
    private let isNaive: Bool
    private var programs: [String: Program] = [:]

    package init(_ context: Context, tuning: Tuning? = nil, precision: Precision = .fp32) {
        self.context = context
        self.precision = precision
        self.tuning = tuning ?? Tuning(device: context.device)
        isNaive = false
    }

    /// The plain kernels of `naive.cl` in place of those of the same names: what benchmarks compare with.
    package init(naive context: Context) {
        self.context = context
        tuning = .scalar
        precision = .fp32
        isNaive = true
    }

    /// Kernels of `naive.cl` that stand for others
    package static let naiveKernels: Set<String> = [
        "layernorm_rows", "bias_activation", "attention_online", "residual_add", "residual_copy", "slices_copy",
    ]

    /// A kernel of `kernels/<file>.cl`.
    /// - Parameters:
    ///   - defines: macros beyond those of the tuning
    ///   - options: further options of the compiler
    func kernel(
        _ file: KernelFile, _ name: String, defines: [String: Int] = [:], options extra: [String] = []
    ) throws(CLError) -> Kernel {
        let file = isNaive && Self.naiveKernels.contains(name) ? .naive : file
        var macros = ["V": tuning.vector, "WG": tuning.group]
        for (macro, value) in defines { macros[macro] = value }
        let options = macros.sorted { $0.key < $1.key }.map { "-D \($0.key)=\($0.value)" } + extra
        let key = ([file.name] + options).joined(separator: " ")
        if let program = programs[key] { return try Kernel(program, name) }
        let program = try Program(context, name: file.name, source: file.source, options: options)
        programs[key] = program
        return try Kernel(program, name)
    }
}

/// The embedded sources, `common.cl` in front of each.
enum KernelFile: String, CaseIterable {
    case attention, attentionGroup = "attention_group", attentionMMA = "attention_mma", gemmMMA = "gemm_mma"
    case biasActivation = "bias_activation", embed, gemmPacked =
        "gemm_packed"
    case gemmTiled = "gemm_tiled", layernorm, metrics, naive, noise, peak, residual, slices

    var name: String { "\(rawValue).cl" }

    var source: [UInt8] {
        let own =
            switch self {
            case .attention: PackageResources.attention_cl
            case .attentionGroup: PackageResources.attention_group_cl
            case .attentionMMA: PackageResources.mma_cl + PackageResources.attention_mma_cl
            case .gemmMMA: PackageResources.epilogue_cl + PackageResources.mma_cl + PackageResources.gemm_mma_cl
            case .biasActivation: PackageResources.epilogue_cl + PackageResources.bias_activation_cl
            case .embed: PackageResources.embed_cl
            case .gemmPacked: PackageResources.epilogue_cl + PackageResources.gemm_packed_cl
            case .gemmTiled: PackageResources.epilogue_cl + PackageResources.gemm_tiled_cl
            case .layernorm: PackageResources.layernorm_cl
            case .metrics: PackageResources.metrics_cl
            case .naive: PackageResources.epilogue_cl + PackageResources.naive_cl
            case .noise: PackageResources.noise_cl
            case .peak: PackageResources.peak_cl
            case .residual: PackageResources.residual_cl
            case .slices: PackageResources.slices_cl
            }
        return PackageResources.common_cl + own
    }
}

/// Work-items of a group where they have nothing to do with each other
let groupSize = 64

extension Device {
    /// The largest power of two that neither the device nor `limit` forbids as a group's size
    func groupSize(atMost limit: Int) -> Int {
        let most = max(min(limit, maxWorkGroupSize), 1)
        return 1 << (Int.bitWidth - 1 - most.leadingZeroBitCount)
    }
}

/// `items`, filled up to whole groups
func wholeGroups(_ items: Int) -> Int { (items + groupSize - 1) / groupSize * groupSize }

extension Int32 {
    /// A size or offset as kernels take it.
    /// - Throws: `CLError.shape` past 2^31 - 1; the planner keeps every buffer below that.
    static func checked(_ value: Int, _ operation: String) throws(CLError) -> Int32 {
        guard let small = Int32(exactly: value) else {
            throw .shape(operation: operation, expected: "sizes below 2^31", got: "\(value)")
        }
        return small
    }
}
