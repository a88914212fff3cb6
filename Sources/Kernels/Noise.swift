import CLRuntime

/// Gaussian noise in multiples of an image's own standard deviation. See `noise.cl`.
package struct Noise {
    private let deviationKernel: Kernel
    private let addKernel: Kernel
    /// Values of a work-item that adds
    private let width: Int
    /// Work-items that share an image's deviation; 1 on CPUs
    private let group: Int

    package init(_ library: KernelLibrary) throws(CLError) {
        let tuning = library.tuning
        width = 4 * (tuning.group > 1 ? 1 : tuning.vector)
        // NVIDIA's compiler gives kernels without a required group size registers for groups of 256.
        group = tuning.group > 1 ? library.context.device.groupSize(atMost: min(256, 16 * tuning.group)) : 1
        deviationKernel = try library.kernel(.noise, "noise_deviation", defines: ["WG": group])
        addKernel = try library.kernel(.noise, "noise_add", defines: ["WG": group])
    }

    /// `e[i, j] += strength * deviation(e[i, :]) * normal(i, j)`
    /// - Parameters:
    ///   - e: [images.count, values]
    ///   - images: which images of the upload these are
    ///   - input: holds, from element `keys` on, the bits of four words an image
    ///   - deviations: room for images.count values
    package func add(
        e: Buffer<Float>, values: Int, images: Range<Int>, strength: Float, input: Buffer<Float>, keys: Int,
        deviations: Buffer<Float>
    ) throws(CLError) {
        guard values >= 0, images.lowerBound >= 0, keys >= 0, images.count * values <= e.count,
            images.count <= deviations.count,
            keys + 4 * images.upperBound <= input.count
        else {
            throw .shape(operation: "noise", expected: "\(images.count) x \(values) values", got: "\(e.count)")
        }
        try deviationKernel.launch(
            global: [group * images.count], local: group > 1 ? [group] : nil,
            ["e": e, "values": values, "deviations": deviations])
        let blocks = (values + width - 1) / width
        try addKernel.launch(
            global: [group > 1 ? wholeGroups(blocks) : blocks, images.count], local: group > 1 ? [groupSize, 1] : nil,
            [
                "e": e, "values": values, "deviations": deviations, "strength": strength, "input": input, "keys": keys,
                "first": images.lowerBound,
            ])
    }
}
