import CLRuntime
import Kernels
import ViT

/// A wave's inputs on the device: the pixels of every source pass, labels and foils, and the words of the noise
/// generator. Uploads them, and computes the encoder's input.
final class WaveUpload {
    let encoder: Encoder
    let donor: Encoder?
    private let extras: WaveShape.Extras
    private let hasMeans: Bool, hasFile: Bool
    private let pixels: Buffer<Float>  // of every source pass
    let words: Buffer<Int32>  // [images] labels, [images] foils, [images, 4] noise keys

    /// - Parameters:
    ///   - counts: elements of the pixels and of the words
    init(
        encoder: Encoder, donor: Encoder?, extras: WaveShape.Extras, hasMeans: Bool, hasFile: Bool,
        counts: (pixels: Int, words: Int)
    ) throws(CLError) {
        (self.encoder, self.donor, self.extras) = (encoder, donor, extras)
        (self.hasMeans, self.hasFile) = (hasMeans, hasFile)
        pixels = try Buffer(encoder.context, count: counts.pixels)
        words = try Buffer(encoder.context, count: counts.words)
    }

    func model(_ index: Int) -> Encoder { index == 1 ? donor ?? encoder : encoder }

    /// A pass that is computed from pixels, and that others start or take activations from.
    struct SourcePass {
        enum Kind {
            case clean, corrupted, donorClean, donorCorrupted, partner
            var model: Int { self == .donorClean || self == .donorCorrupted ? 1 : 0 }
        }
        var kind: Kind
        var model: Int { kind.model }
        var pixels: [[Float]]  // [images] of [channels, height, width]
        var isNoisy = false
    }

    /// The passes that are computed from pixels, in block order.
    /// - Throws: `CLError.shape` where the wave lacks something that the patches need
    func sourcePasses(_ wave: Wave, patches: [Patch]) throws(CLError) -> [SourcePass] {
        let isNoisy = wave.noise != nil
        var passes = [SourcePass(kind: .clean, pixels: wave.clean)]
        if let corrupted = wave.corrupted {
            passes.append(SourcePass(kind: .corrupted, pixels: corrupted, isNoisy: isNoisy))
        }
        let extras = WaveShape.Extras(patches: patches, donor: donor != nil)
        if extras.contains(.donorClean) {
            passes.append(SourcePass(kind: .donorClean, pixels: wave.donorClean ?? []))
        }
        if extras.contains(.donorCorrupted) {
            passes.append(
                SourcePass(kind: .donorCorrupted, pixels: wave.donorCorrupted ?? [], isNoisy: isNoisy))
        }
        if extras.contains(.partner) { passes.append(SourcePass(kind: .partner, pixels: wave.partner ?? [])) }
        for pass in passes {
            let values = model(pass.model).config.imageValues
            guard pass.pixels.count == wave.labels.count, pass.pixels.allSatisfy({ $0.count == values }) else {
                throw .shape(
                    operation: "wave", expected: "\(wave.labels.count) images of \(values) values (\(pass.kind))",
                    got: "\(pass.pixels.count) of \(pass.pixels.map(\.count).min() ?? 0)")
            }
        }
        guard wave.foils.count == wave.labels.count,
            (wave.labels + wave.foils).allSatisfy({ $0 < encoder.config.classes })
        else {
            throw .shape(
                operation: "wave",
                expected: "\(wave.labels.count) targets and foils of \(encoder.config.classes) classes",
                got: "\(wave.foils.count) foils, classes up to \((wave.labels + wave.foils).max() ?? 0)")
        }
        if let deviations = wave.noiseDeviations, deviations.count != (donor == nil ? 1 : 2) {
            throw .shape(
                operation: "wave", expected: "a deviation of each model", got: "\(deviations.count)")
        }
        if let noise = wave.noise, noise.keys.count != wave.labels.count {
            throw .shape(operation: "wave", expected: "\(wave.labels.count) noise keys", got: "\(noise.keys.count)")
        }
        guard self.extras.isSuperset(of: extras), wave.corrupted != nil || patches.isEmpty else {
            throw .shape(operation: "wave", expected: "a shape with what the patches ask for", got: "another")
        }
        for patch in patches where patch.with == .mean {
            guard hasMeans, patch.parts.allSatisfy({ $0.site.row.home != .pattern }) else {
                throw .shape(operation: "wave", expected: "the mean at every patched site", got: "none")
            }
        }
        if patches.contains(where: { $0.with == .file }) {
            guard hasFile, wave.filePositions.count == wave.labels.count else {
                throw .shape(operation: "wave", expected: "every image's place in the file", got: "none")
            }
        }
        return passes
    }

    /// The receiving and the source block of each patch.
    func sources(
        _ passes: [SourcePass], patches: [Patch], own: Bool
    ) throws(CLError) -> Schedule.Sources {
        let sources = try Schedule.Sources(
            patches: patches, kinds: passes.map(\.kind), hasDonor: donor != nil, own: own)
        return sources
    }

    /// The donor's block, if the donor has the model's classes.
    func donorBlock(_ passes: [SourcePass]) -> Int? {
        guard let donor, donor.config.hasClasses(of: encoder.config) else { return nil }
        return passes.firstIndex { $0.model == 1 }
    }

    /// Writes pixels, labels, foils and the noise generator's words to the device.
    /// - Returns: the offset of each source pass's pixels, in elements
    func upload(_ wave: Wave, _ passes: [SourcePass]) throws(CLError) -> [Int] {
        var offsets: [Int] = [], count = 0
        for pass in passes {
            offsets.append(count)
            count += pass.pixels.map(\.count).reduce(0, +)
        }
        try pixels.overwrite(count) { out in
            var at = 0
            for image in passes.lazy.flatMap(\.pixels) {
                image.withUnsafeBufferPointer { values in
                    _ = UnsafeMutableBufferPointer(rebasing: out[at..<(at + values.count)]).update(from: values)
                }
                at += image.count
            }
        }
        let keys = (wave.noise?.keys ?? []).flatMap { [$0.0, $0.1, $0.2, $0.3] }
        let all = (wave.labels + wave.foils).map { Int32($0) } + keys.map { Int32(bitPattern: $0) }
        try words.overwrite(all.count) { _ = $0.update(from: all) }
        return offsets
    }

    /// Computes the encoder's input of every source pass, one row of x for each image.
    func embed(
        _ wave: Wave, _ passes: [SourcePass], _ offsets: [Int], x: Buffer<Float>, workspace: Workspace
    ) throws(CLError) {
        encoder.context.stage("embed")
        let images = wave.labels.count
        for (block, pass) in passes.enumerated() {
            let noise =
                pass.isNoisy
                ? wave.noise.map {
                    Encoder.EmbeddingNoise(
                        strength: $0.strength, deviation: wave.noiseDeviations?[pass.model], keys: words,
                        offset: 2 * images)
                } : nil
            try model(pass.model).embed(
                pixels: pixels, offset: offsets[block], images: images, x: x, row: block * images, noise: noise,
                workspace: workspace)
        }
    }

    /// Passes every image's patch projections to `body`.
    func projections(
        images: Int, workspace: Workspace, _ body: (ArraySlice<Float>) -> Void
    ) throws(CLError) {
        try encoder.forEachProjection(pixels: pixels, images: images, workspace: workspace, body)
    }
}

extension Schedule.Sources {
    /// The receiving and the source block of each patch, among passes of these kinds.
    init(
        patches: [Patch], kinds: [WaveUpload.SourcePass.Kind], hasDonor: Bool, own: Bool = false
    ) throws(CLError) {
        // Restoring patches clean activations into the corrupted pass; noising is the reverse.
        let base = patches.map { $0.direction == .restore ? 1 : 0 }
        let extras = WaveShape.Extras(patches: patches, donor: hasDonor)
        self.init(models: kinds.map(\.model), given: extras.given, base: base, source: [])
        for (patch, base) in zip(patches, base) {
            let block: Int? =
                switch patch.with {
                case _ where own: base
                case .other where hasDonor:
                    kinds.firstIndex(of: patch.direction == .restore ? .donorClean : .donorCorrupted)
                case .other: 1 - base
                case .resample: kinds.firstIndex(of: .partner)
                case .zero: self.block(.zeros)
                case .mean: self.block(.means)
                case .file: self.block(.file)
                }
            guard let block else { throw .shape(operation: "wave", expected: "the pass to patch from", got: "none") }
            source.append(block)
        }
    }

    /// The same for a wave of clean and corrupted passes and the extras that the patches need.
    init(patches: [Patch], extras: WaveShape.Extras, hasDonor: Bool) throws(CLError) {
        var kinds: [WaveUpload.SourcePass.Kind] = [.clean, .corrupted]
        if extras.contains(.donorClean) { kinds.append(.donorClean) }
        if extras.contains(.donorCorrupted) { kinds.append(.donorCorrupted) }
        if extras.contains(.partner) { kinds.append(.partner) }
        try self.init(patches: patches, kinds: kinds, hasDonor: hasDonor)
    }
}
