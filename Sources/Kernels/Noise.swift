import CLRuntime

/// Gaussian noise scaled by a standard deviation, each image's own or a given one. See `noise.cl`.
package struct Noise {
    private let deviationKernel: Kernel
    private let addKernel: Kernel
    /// Values per work-item of `noise_add`
    private let width: Int
    /// Work-items that share an image's deviation; 1 on CPUs
    private let group: Int

    package init(_ library: KernelLibrary) throws(CLError) {
        let tuning = library.tuning
        width = 4 * (tuning.group > 1 ? 1 : tuning.vector)
        // NVIDIA's compiler gives kernels without a required group size registers for groups of 256.
        let most = powerOfTwo(atMost: min(256, 16 * tuning.group, library.context.device.maxWorkGroupSize))
        let (kernels, group) = try library.grouped(
            .noise, "noise_deviation", "noise_add", group: tuning.group > 1 ? most : 1)
        (deviationKernel, addKernel, self.group) = (kernels[0], kernels[1], group)
    }

    /// `e[i, j] += strength * deviation(e[i, :]) * normal(i, j)`, or with the given `deviation`
    /// - Parameters:
    ///   - e: [images.count, values]
    ///   - images: the images' positions in the upload
    ///   - keys: from element `offset` on, four 32-bit words per image
    ///   - deviations: room for images.count values
    package func add(
        e: Buffer<Float>, values: Int, images: Range<Int>, strength: Float, keys: Buffer<Int32>, offset: Int,
        deviations: Buffer<Float>, deviation: Float? = nil
    ) throws(CLError) {
        guard values >= 0, images.lowerBound >= 0, offset >= 0, images.count * values <= e.count,
            images.count <= deviations.count,
            offset + 4 * images.upperBound <= keys.count
        else {
            throw .shape(operation: "noise", expected: "\(images.count) x \(values) values", got: "\(e.count)")
        }
        if let deviation {
            try deviations.fill(deviation, 0..<images.count)
        } else {
            try deviationKernel.launch(
                global: [group * images.count], local: group > 1 ? [group] : nil,
                ["e": e, "values": values, "deviations": deviations])
        }
        let blocks = (values + width - 1) / width, items = groupSize(addKernel)
        try addKernel.launch(
            global: [group > 1 ? wholeGroups(blocks, of: items) : blocks, images.count],
            local: group > 1 ? [items, 1] : nil,
            [
                "e": e, "values": values, "deviations": deviations, "strength": strength, "keys": keys,
                "offset": offset,
                "first": images.lowerBound,
            ])
    }
}
