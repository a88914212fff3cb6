import CLRuntime
import Kernels
import ViT

extension Wavefront {
    /// A pass that is computed from pixels and that others start or take activations from.
    struct SourcePass {
        enum Kind { case clean, corrupted, donorClean, donorCorrupted, partner }
        var kind: Kind
        var model = 0
        var pixels: [[Float]]  // [images] of [channels, S, S]
        var isNoisy = false
    }

    /// Where the parts of an upload stand in the input, in elements.
    struct Offsets {
        /// Of each source pass
        var pixels: [Int] = []
        var labels = 0, keys = 0
    }

    /// The passes that are computed from pixels, in the order of their blocks.
    /// - Throws: `CLError.shape` where the wave lacks what the patches ask for
    func sourcePasses(_ wave: Wave, patches: [Patch]) throws(CLError) -> [SourcePass] {
        let isNoisy = wave.noise != nil
        var passes = [SourcePass(kind: .clean, pixels: wave.clean)]
        if let corrupted = wave.corrupted {
            passes.append(SourcePass(kind: .corrupted, pixels: corrupted, isNoisy: isNoisy))
        }
        let extras = WaveShape.Extras(patches: patches, donor: donor != nil)
        if extras.contains(.donorClean) {
            passes.append(SourcePass(kind: .donorClean, model: 1, pixels: wave.donorClean ?? []))
        }
        if extras.contains(.donorCorrupted) {
            passes.append(
                SourcePass(kind: .donorCorrupted, model: 1, pixels: wave.donorCorrupted ?? [], isNoisy: isNoisy))
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
        if let noise = wave.noise, noise.keys.count != wave.labels.count {
            throw .shape(operation: "wave", expected: "\(wave.labels.count) noise keys", got: "\(noise.keys.count)")
        }
        guard capacity.extras.isSuperset(of: extras), wave.corrupted != nil || patches.isEmpty else {
            throw .shape(operation: "wave", expected: "a shape with what the patches ask for", got: "another")
        }
        for patch in patches where patch.with == .mean {
            guard means != nil, patch.parts.allSatisfy({ $0.site.row.home != .pattern }) else {
                throw .shape(operation: "wave", expected: "the mean at every patched site", got: "none")
            }
        }
        if patches.contains(where: { $0.with == .file }) {
            guard file != nil, wave.filePositions.count == wave.labels.count else {
                throw .shape(operation: "wave", expected: "every image's place in the file", got: "none")
            }
        }
        return passes
    }

    /// Which block each patch receives and which it gives.
    func sources(
        _ passes: [SourcePass], patches: [Patch], own: Bool
    ) throws(CLError) -> Schedule.Sources {
        // Restoring patches the corrupted pass with the clean one; noising the other way round.
        let base = patches.map { $0.direction == .restore ? 1 : 0 }
        func block(_ kind: SourcePass.Kind) -> Int? { passes.firstIndex { $0.kind == kind } }
        let extras = WaveShape.Extras(patches: patches, donor: donor != nil)
        var found = Schedule.Sources(models: passes.map(\.model), given: extras.given, base: base, source: [])
        for (patch, base) in zip(patches, base) {
            let block: Int? =
                switch patch.with {
                case _ where own: base
                case .clean where donor != nil: block(patch.direction == .restore ? .donorClean : .donorCorrupted)
                case .clean: 1 - base
                case .resample: block(.partner)
                case .zero: found.block(.zeros)
                case .mean: found.block(.means)
                case .file: found.block(.file)
                }
            guard let block else { throw .shape(operation: "wave", expected: "the pass to patch from", got: "none") }
            found.source.append(block)
        }
        return found
    }

    /// The donor's block, where its logits are of the model's classes.
    func donorBlock(_ passes: [SourcePass]) -> Int? {
        guard let donor, donor.config.hasClasses(of: encoder.config) else { return nil }
        return passes.firstIndex { $0.model == 1 }
    }

    /// Writes pixels, labels and the noise generator's words where the device reads them: one upload.
    func upload(_ wave: Wave, _ passes: [SourcePass]) throws(CLError) -> Offsets {
        var offsets = Offsets(), count = 0
        for pass in passes {
            offsets.pixels.append(count)
            count += pass.pixels.map(\.count).reduce(0, +)
        }
        offsets.labels = count
        offsets.keys = count + wave.labels.count
        let keys = wave.noise?.keys ?? []
        try input.overwrite(offsets.keys + 4 * keys.count) { out in
            var at = 0
            for image in passes.lazy.flatMap(\.pixels) {
                image.withUnsafeBufferPointer { pixels in
                    _ = UnsafeMutableBufferPointer(rebasing: out[at..<(at + pixels.count)]).update(from: pixels)
                }
                at += image.count
            }
            for label in wave.labels {
                out[at] = Float(label)
                at += 1
            }
            for (a, b, c, d) in keys {
                for word in [a, b, c, d] {
                    out[at] = Float(bitPattern: word)
                    at += 1
                }
            }
        }
        return offsets
    }

    /// The encoder's input of every source pass.
    func embed(_ wave: Wave, _ passes: [SourcePass], _ offsets: Offsets) throws(CLError) {
        context.stage("embed")
        let images = wave.labels.count
        for (block, pass) in passes.enumerated() {
            let noise =
                pass.isNoisy
                ? wave.noise.map { Encoder.EmbeddingNoise(strength: $0.strength, keys: offsets.keys) } : nil
            try model(pass.model).embed(
                pixels: input, offset: offsets.pixels[block], images: images, x: x, row: block * images, noise: noise,
                workspace: workspace)
        }
    }
}
