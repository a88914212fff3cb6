import CLRuntime

/// Gaussian noise in multiples of an image's own standard deviation. See `noise.cl`.
package struct Noise {
    private let deviationKernel: Kernel
    private let addKernel: Kernel
    /// Values of a work-item
    private let width: Int

    package init(_ library: KernelLibrary) throws(CLError) {
        width = 4 * (library.tuning.group > 1 ? 1 : library.tuning.vector)
        deviationKernel = try library.kernel(.noise, "noise_deviation")
        addKernel = try library.kernel(.noise, "noise_add")
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
        let count = try Int32.checked(values, "values")
        try deviationKernel.launch(global: [images.count], ["e": e, "values": count, "deviations": deviations])
        try addKernel.launch(
            global: [(values + width - 1) / width, images.count],
            [
                "e": e, "values": count, "deviations": deviations, "strength": strength, "input": input,
                "keys": try Int32.checked(keys, "keys"), "first": try Int32.checked(images.lowerBound, "first"),
            ])
    }
}
