import CLRuntime

/// Compiles our kernels for one context, each program once.
package final class KernelLibrary {
    package let context: Context
    package let tuning: Tuning
    /// The precision of products in attention's kernels
    package let precision: Precision
    /// What matrix tiles are, where the precision has products on them
    let tiles: AMX.Units?
    /// Heads of fewer columns have attention in fp32
    let narrowestHead: Int
    private let isNaive: Bool
    private var programs: [String: Program] = [:]

    /// - Parameter narrowestHead: nil for what the precision has (see `WideGEMM`)
    package convenience init(
        _ context: Context, tuning: Tuning? = nil, precision: Precision = .fp32, narrowestHead: Int? = nil
    ) {
        let hasTiles = AMXGEMM.precisions.contains(precision) && AMX.isUsable(on: context.device)
        self.init(
            context, tuning: tuning, precision: precision, tiles: hasTiles ? .amx : nil,
            narrowestHead: narrowestHead ?? (precision.isSplit ? WideGEMM.leastHead : 0))
    }

    init(
        _ context: Context, tuning: Tuning? = nil, precision: Precision, tiles: AMX.Units?, narrowestHead: Int = 0
    ) {
        self.context = context
        self.precision = precision
        self.tiles = tiles
        self.narrowestHead = narrowestHead
        self.tuning = tuning ?? Tuning(device: context.device)
        isNaive = false
    }

    /// The plain kernels of `naive.cl`, NAME_naive in place of NAME, for comparison in benchmarks.
    package init(naive context: Context) {
        self.context = context
        tuning = .scalar
        precision = .fp32
        tiles = nil
        narrowestHead = 0
        isNaive = true
    }

    /// Kernels that have a plain counterpart in `naive.cl`
    package static let naiveKernels: Set<String> = [
        "layernorm_rows", "bias_activation", "attention_online", "residual_add", "residual_copy", "slices_copy",
    ]

    /// A kernel of `kernels/<file>.cl`.
    /// - Parameters:
    ///   - defines: macros beyond those of the tuning
    ///   - options: further compiler options
    ///   - target: see `Program`
    func kernel(
        _ file: KernelFile, _ name: String, defines: [String: Int] = [:], options extra: [String] = [],
        target: String? = nil
    ) throws(CLError) -> Kernel {
        let isReplaced = isNaive && Self.naiveKernels.contains(name)
        let (file, name) = isReplaced ? (.naive, name + "_naive") : (file, name)
        var macros = ["V": tuning.vector, "WG": tuning.group]
        for (macro, value) in defines { macros[macro] = value }
        let options = macros.sorted { $0.key < $1.key }.map { "-D \($0.key)=\($0.value)" } + extra
        let key = ([file.name] + options).joined(separator: " ")
        if let program = programs[key] { return try Kernel(program, name) }
        let program = try Program(context, name: file.name, source: file.source, options: options, target: target)
        programs[key] = program
        return try Kernel(program, name)
    }

    /// Kernels whose work-groups of `WG` items share a row or an image. `group` is the given size or, where the device
    /// allows less for one of these kernels (`Kernel.maxGroupSize`), the largest power of two that it allows for all.
    func grouped(
        _ file: KernelFile, _ names: String..., defines: [String: Int] = [:], group: Int? = nil
    ) throws(CLError) -> (kernels: [Kernel], group: Int) {
        var group = group ?? tuning.group
        while true {
            var kernels: [Kernel] = []
            for name in names {
                kernels.append(try kernel(file, name, defines: defines.merging(["WG": group]) { $1 }))
            }
            let most = kernels.map(\.maxGroupSize).min() ?? group
            if group <= most || group == 1 { return (kernels, group) }
            group = powerOfTwo(atMost: most)
        }
    }
}

/// The files under `kernels/` that contain kernels.
enum KernelFile: String, CaseIterable {
    case activationBackward = "activation_backward"
    case attention, attentionAMX = "attention_amx", attentionGroup = "attention_group", attentionMMA = "attention_mma"
    case attentionBackward = "attention_backward", attentionBackwardGroup = "attention_backward_group"
    case biasActivation = "bias_activation", contract, embed
    case gemmAMX = "gemm_amx", gemmMMA = "gemm_mma", gemmPacked = "gemm_packed", gemmTiled = "gemm_tiled"
    case gemmWGMMA = "gemm_wgmma"
    case keyTokens = "key_tokens", layernorm, layernormBackward = "layernorm_backward"
    case metricGradient = "metric_gradient", metrics, naive, noise, peak, pool, residual, slices

    var name: String { "\(rawValue).cl" }

    /// `common.cl`, the headers and the file itself, concatenated.
    var source: [UInt8] {
        let (headers, own) = parts
        return headers.reduce(PackageResources.common_cl) { $0 + $1.source } + own
    }

    /// Files without kernels, whose functions others use
    private enum Header {
        case amx, attentionTiles, backwardArguments, copyAsync, epilogue, lanes, mma, mmaLayout, queryTokens, wgmma

        var source: [UInt8] {
            switch self {
            case .amx: PackageResources.amx_cl
            case .attentionTiles: PackageResources.attention_tiles_cl
            case .backwardArguments: PackageResources.backward_arguments_cl
            case .copyAsync: PackageResources.copy_async_cl
            case .epilogue: PackageResources.epilogue_cl
            case .lanes: PackageResources.lanes_cl
            case .mma: PackageResources.mma_cl
            case .mmaLayout: PackageResources.mma_layout_cl
            case .queryTokens: PackageResources.query_tokens_cl
            case .wgmma: PackageResources.wgmma_cl
            }
        }
    }

    /// The table of files: the headers prepended to each, after `common.cl`, and its embedded source.
    private var parts: (headers: [Header], own: [UInt8]) {
        switch self {
        case .activationBackward: ([.epilogue], PackageResources.activation_backward_cl)
        case .attention: ([.queryTokens, .lanes], PackageResources.attention_cl)
        case .attentionAMX: ([.queryTokens, .lanes, .amx], PackageResources.attention_amx_cl)
        case .attentionBackward: ([.queryTokens, .lanes, .backwardArguments], PackageResources.attention_backward_cl)
        case .attentionBackwardGroup:
            ([.queryTokens, .attentionTiles, .backwardArguments], PackageResources.attention_backward_group_cl)
        case .attentionGroup: ([.queryTokens, .attentionTiles], PackageResources.attention_group_cl)
        case .attentionMMA: ([.mma, .queryTokens], PackageResources.attention_mma_cl)
        case .biasActivation: ([.epilogue], PackageResources.bias_activation_cl)
        case .contract: ([], PackageResources.contract_cl)
        case .embed: ([], PackageResources.embed_cl)
        case .gemmAMX: ([.epilogue, .amx], PackageResources.gemm_amx_cl)
        case .gemmMMA: ([.epilogue, .copyAsync, .mma, .mmaLayout], PackageResources.gemm_mma_cl)
        case .gemmPacked: ([.epilogue], PackageResources.gemm_packed_cl)
        case .gemmWGMMA: ([.epilogue, .copyAsync, .mma, .mmaLayout, .wgmma], PackageResources.gemm_wgmma_cl)
        case .gemmTiled: ([.epilogue, .copyAsync], PackageResources.gemm_tiled_cl)
        case .keyTokens: ([.queryTokens, .lanes], PackageResources.key_tokens_cl)
        case .layernorm: ([], PackageResources.layernorm_cl)
        case .layernormBackward: ([], PackageResources.layernorm_backward_cl)
        case .metricGradient: ([], PackageResources.metric_gradient_cl)
        case .metrics: ([], PackageResources.metrics_cl)
        case .naive: ([.epilogue], PackageResources.naive_cl)
        case .noise: ([], PackageResources.noise_cl)
        case .peak: ([], PackageResources.peak_cl)
        case .pool: ([], PackageResources.pool_cl)
        case .residual: ([], PackageResources.residual_cl)
        case .slices: ([], PackageResources.slices_cl)
        }
    }
}

/// Group size of `kernel` where work-items are independent
func groupSize(_ kernel: Kernel) -> Int { powerOfTwo(atMost: min(64, kernel.maxGroupSize)) }

/// The largest power of two up to `limit`, at least 1
func powerOfTwo(atMost limit: Int) -> Int { 1 << (Int.bitWidth - 1 - max(limit, 1).leadingZeroBitCount) }

/// `items`, rounded up to whole groups
func wholeGroups(_ items: Int, of group: Int) -> Int { (items + group - 1) / group * group }
