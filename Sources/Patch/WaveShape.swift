import CLRuntime
import Formats
import Kernels
import ViT

/// The size of a wave, which determines the size of every buffer.
package struct WaveShape: Sendable, Equatable {
    /// B, images in a wave
    package var images: Int
    /// Patches in a wave
    package var patches: Int
    /// Passes that a stage computes at a time
    package var chunkRows: Int
    /// Activations that source passes keep during a stage
    package var kept: Workspace.Kept
    /// Sources of activations besides the clean and corrupted passes
    package var extras: Extras

    /// Sources of activations besides the clean and corrupted passes.
    package struct Extras: OptionSet, Sendable, Hashable {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }
        package static let donorClean = Extras(rawValue: 1), donorCorrupted = Extras(rawValue: 2)
        /// Another image's clean pass
        package static let partner = Extras(rawValue: 4)
        /// Given, not computed: zeros, means, and a file's activations
        package static let zeros = Extras(rawValue: 8), means = Extras(rawValue: 16), file = Extras(rawValue: 32)

        package init(patches: [Patch], donor: Bool) {
            self = []
            for patch in patches {
                switch patch.with {
                case .other:
                    if donor { insert(patch.direction == .restore ? .donorClean : .donorCorrupted) }
                case .zero: insert(.zeros)
                case .mean: insert(.means)
                case .resample: insert(.partner)
                case .file: insert(.file)
                }
            }
        }

        fileprivate var count: Int { rawValue.nonzeroBitCount }
        fileprivate var donorPasses: Int { intersection([.donorClean, .donorCorrupted]).count }
        /// The given blocks, in order
        var given: [Schedule.Sources.Given] {
            let all: [(Extras, Schedule.Sources.Given)] = [(.zeros, .zeros), (.means, .means), (.file, .file)]
            return all.filter { contains($0.0) }.map(\.1)
        }
        fileprivate var partners: Int { intersection(.partner).count }
    }

    package init(
        images: Int, patches: Int, chunkRows: Int, kept: Workspace.Kept = [], extras: Extras = []
    ) {
        self.images = images
        self.patches = patches
        self.chunkRows = chunkRows
        self.kept = kept
        self.extras = extras
    }

    /// The shape of waves of `images` images with these patches.
    package init(images: Int, patches: [Patch], chunkRows: Int, donor: Bool = false) {
        self.init(
            images: images, patches: patches.count, chunkRows: chunkRows,
            kept: patches.reduce([]) { $0.union($1.kept) }, extras: Extras(patches: patches, donor: donor))
    }

    /// Number of source blocks: clean and corrupted passes, and the extras
    var blocks: Int { 2 + extras.count }
    var rows: Int { images * (blocks + patches) }
    var workspace: Workspace.Shape { Workspace.Shape(rows: chunkRows, keptSlots: images * blocks, kept: kept) }

    /// The configuration of a workspace for both models.
    static func workspaceConfig(_ model: ViTConfig, donor: ViTConfig?) -> ViTConfig {
        var config = model
        if let donor {
            config.intermediateSize = max(config.intermediateSize, donor.intermediateSize)
            config.channels = max(config.channels, donor.channels)
            if donor.architecture.hasGatedMLP { config.architecture.hasGatedMLP = true }
            if !donor.architecture.readout.isFirstTokens,
                config.architecture.readout.isFirstTokens
                    || config.readoutWidth + config.headWidth < donor.readoutWidth + donor.headWidth
            {
                config.architecture.readout = donor.architecture.readout
            }
            // As many patches as the model has, each with as many values as the larger of the two patches: one row of
            // values each
            let values = max(config.patchSize.count, donor.patchSize.count)
            (config.imageSize, config.patchSize) = (
                PixelSize(height: config.grid.count, width: values), PixelSize(height: 1, width: values)
            )
        }
        return config
    }

    func counts(_ config: ViTConfig, donor: ViTConfig?) -> (stream: Int, logits: Int, out: Int, input: Int, words: Int)
    {
        let image =
            (2 + extras.partners) * config.imageValues + extras.donorPasses * (donor ?? config).imageValues
        return (
            stream: rows * config.tokens * config.hiddenSize, logits: rows * config.classes,
            out: Metrics.count(rows: rows, images: images), input: images * image,
            words: images * (2 + 4)
        )
    }

    /// Elements of every buffer of a wave of this shape besides the weights, by name; an element has 4 bytes.
    /// - Parameter most: maximum ints of one patch in a schedule's lists
    func buffers(
        _ models: PlannedModels, most: (entries: Int, tokens: Int)
    ) throws(CLError) -> [(name: String, elements: Int)] {
        let config = Self.workspaceConfig(models.config, donor: models.donor)
        let counts = counts(models.config, donor: models.donor)
        let lists = RowLists.mostInts(
            images: images, blocks: blocks, patches: patches, shape: NetworkShape(models.config), most: most)
        return [
            ("the residual stream", counts.stream), ("the stages' outputs", counts.stream), ("logits", counts.logits),
            ("metrics", counts.out), ("pixels", counts.input), ("classes and noise words", counts.words),
        ] + (0..<Wavefront.mostSchedules).map { _ in ("row lists", lists) }
            + Workspace.counts(config, workspace).map { ("activations of a stage", $0) }
            + (try models.temporaries(workspace).map { ("the GEMM's temporary", ($0 + 3) / 4) })
    }
}
