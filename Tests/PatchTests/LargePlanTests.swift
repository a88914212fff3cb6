import CLRuntime
import Kernels
import Testing
import ViT

@testable import Patch

/// Plans for ViT-B, L and H on devices of 8 to 141 GB; no device is needed.
@Suite struct LargePlanTests {
    /// A GEMM without a device, with only what a plan asks of a provider.
    private final class NoGEMM: GEMM {
        let name = "none"
        /// Bytes of temporary per row and input, as for CLBlast's padded copies
        let bytes: Int
        init(bytes: Int = 0) { self.bytes = bytes }
        func prepare(weight: [Float], bias: [Float], outputs: Int, inputs: Int) throws(CLError) -> any GEMMWeight {
            throw .shape(operation: "gemm", expected: "no call", got: "one")
        }
        func callAsFunction(
            a: Matrix, weight: any GEMMWeight, rows: Int, activation: ActivationKind, out: Matrix,
            residual: ResidualRows?
        ) throws(CLError) {}
        func temporaryBytes(rows: Int, outputs: Int, inputs: Int) throws(CLError) -> Int {
            bytes * (rows * inputs + outputs * inputs + rows * outputs)
        }
    }

    enum Size: CaseIterable {
        case b, l, h
        var config: ViTConfig {
            let labels = (0..<1000).map { "\($0)" }
            return switch self {
            case .b:
                ViTConfig(
                    hiddenSize: 768, layers: 12, heads: 12, intermediateSize: 3072, imageSize: 224, patchSize: 16,
                    labels: labels)
            case .l:
                ViTConfig(
                    hiddenSize: 1024, layers: 24, heads: 16, intermediateSize: 4096, imageSize: 224, patchSize: 16,
                    labels: labels)
            case .h:
                ViTConfig(
                    hiddenSize: 1280, layers: 32, heads: 16, intermediateSize: 5120, imageSize: 224, patchSize: 14,
                    labels: labels)
            }
        }
        /// Bytes of the fp32 weights
        var weights: Int {
            let (d, m) = (config.hiddenSize, config.intermediateSize)
            return 4 * (config.layers * (4 * d * d + 2 * d * m) + (config.tokens + config.patchValues + 1000) * d)
        }
    }

    /// Sweeps that keep the activations they patch, and sweeps that do not.
    private static func sweeps(_ config: ViTConfig) -> [(name: String, patches: [Patch])] {
        let layers = Array(0..<config.layers)
        return [
            ("windows", layers.map { Patch(sites: [.attnOut], layers: [$0]) }),
            ("heads", layers.flatMap { l in (0..<config.heads).map { Patch(sites: [.z], layers: [l], heads: [$0]) } }),
            ("neurons", [Patch(sites: [.mlpAct], layers: [5])]), ("before", [Patch(sites: [.mlpPre], layers: [5])]),
            ("zeros", layers.map { Patch(with: .zero, sites: [.q, .mlpOut], layers: [$0]) }),
        ]
    }

    private static func limits(_ gigabytes: Int, share: Int, weights: Int) -> DeviceLimits {
        let memory = gigabytes * 1_000_000_000
        return DeviceLimits(
            name: "a device", memory: memory, allocated: weights, maxAllocation: memory / share, isGPU: true)
    }

    /// Drivers allow a single allocation of a quarter of the memory, or of all of it.
    @Test(arguments: Size.allCases, [8, 24, 80, 141])
    func everyBufferFits(_ size: Size, _ gigabytes: Int) throws {
        let config = size.config
        let models = PlannedModels(config, gemm: NoGEMM(bytes: 4))
        for share in [1, 4] {
            let limits = Self.limits(gigabytes, share: share, weights: size.weights)
            for (name, patches) in Self.sweeps(config) {
                var images: [Int] = []
                for count in [1, 100, 100_000] {
                    let plan = try WavePlan(models, limits: limits, patches: patches, images: count, memory: nil)
                    let note: Comment = "\(size), \(gigabytes) GB / \(share), \(name), \(count) images: \(plan.shape)"
                    let buffers = try plan.shape.buffers(models, most: (1000, 0))
                    for (buffer, elements) in buffers where buffer != "row lists" {
                        #expect(4 * elements <= limits.maxAllocation && elements < 1 << 31 - 1, "\(note) \(buffer)")
                    }
                    #expect(plan.bytes <= Int(0.7 * Double(limits.memory)) - limits.allocated, note)
                    #expect(
                        plan.shape.images <= count && plan.patchRanges.flatMap { Array($0) } == Array(patches.indices))
                    images.append(plan.shape.images)
                }
                // More images never make smaller waves, and a large device is used: not one image where hundreds fit.
                #expect(images[0] == 1 && images[1] <= images[2], "\(size), \(gigabytes) GB, \(name): \(images)")
                if gigabytes >= 80, patches.count < 40 { #expect(images[2] > 4, "\(size), \(name): \(images)") }
            }
        }
    }

    /// Kept hidden layers are one buffer; without this check it would exceed 2^31 elements.
    @Test func keptHiddenLayersAreCutToWhatABufferHolds() throws {
        let config = Size.l.config, patches = [Patch(sites: [.mlpAct], layers: [5])]
        let models = PlannedModels(config, gemm: NoGEMM())
        let limits = Self.limits(80, share: 1, weights: Size.l.weights)
        let plan = try WavePlan(models, limits: limits, patches: patches, images: 100_000, memory: nil)
        let largest = try plan.shape.buffers(models, most: (0, 0)).map(\.elements).max() ?? 0
        #expect(largest < 1 << 31 - 1 && largest > 1 << 29)
    }

    /// Two models with a provider each have two temporaries; a shared provider has one.
    @Test func theDonorsTemporaryCounts() throws {
        let config = Size.b.config, gemm = NoGEMM(bytes: 4)
        let limits = Self.limits(24, share: 4, weights: 0), patches = [Patch(sites: [.z], layers: [1])]
        func bytes(_ models: PlannedModels) throws -> Int {
            try WavePlan(models, limits: limits, patches: patches, images: 1, memory: nil).bytes
        }
        let shared = try bytes(PlannedModels(config, donor: config, gemm: gemm, donorGEMM: gemm))
        let apart = try bytes(PlannedModels(config, donor: config, gemm: gemm, donorGEMM: NoGEMM(bytes: 4)))
        let workspace = Workspace.Shape(rows: 32_768 / config.tokens, kept: .attention)
        #expect(try apart - shared == Workspace.temporaryBytes(config, workspace, gemm: gemm))
    }

    /// A device with enough memory but a smaller largest allocation: the message names the buffer.
    @Test func aBufferThatIsTooLargeIsNamed() throws {
        let models = PlannedModels(Size.h.config, gemm: NoGEMM())
        let limits = DeviceLimits(name: "a device", memory: 8_000_000_000, maxAllocation: 1_000_000, isGPU: true)
        #expect(
            performing: {
                _ = try WavePlan(
                    models, limits: limits, patches: [Patch(sites: [.z], layers: [1])], images: 1, memory: nil)
            },
            throws: { "\($0)".contains("a buffer of") && "\($0)".contains("a device's largest allocation (0 MiB)") })
    }
}
