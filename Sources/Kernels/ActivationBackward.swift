import CLRuntime

/// `g *= act'(in)`: turns the gradient after the MLP's activation into the gradient before it. See
/// `activation_backward.cl`.
package struct ActivationBackward {
    private let kernel: Kernel
    private let gatedKernel: Kernel
    private let vector: Int

    package init(_ library: KernelLibrary) throws(CLError) {
        kernel = try library.kernel(.activationBackward, "activation_backward")
        gatedKernel = try library.kernel(.activationBackward, "activation_backward_gated")
        vector = library.tuning.vector
    }

    /// - Parameters:
    ///   - input: the hidden layer before the activation, in slots of `elements` values from element `offset` on
    ///   - lists, slots: entry `slots.lowerBound + i` of the lists is the slot of row i
    ///   - g: [slots.count, elements]
    package func callAsFunction(
        input: Buffer<Float>, offset: Int = 0, lists: Buffer<Int32>, slots: Range<Int>, elements: Int,
        activation: ActivationKind, g: Buffer<Float>
    ) throws(CLError) {
        guard offset >= 0, elements >= 0, offset + elements <= input.count, slots.lowerBound >= 0,
            slots.upperBound <= lists.count, slots.count * elements <= g.count
        else {
            throw .shape(
                operation: "activation_backward", expected: "\(slots.count) rows of \(elements)",
                got: "\(input.count) and \(g.count)")
        }
        try kernel.launch(
            global: [(elements + vector - 1) / vector, slots.count],
            [
                "in": input, "offset": offset, "lists": lists, "first": slots.lowerBound, "elements": elements,
                "activation": activation.rawValue, "g": g,
            ])
    }

    /// For a gated MLP, `out = (g up act'(gate), g act(gate))`: the gradients at gate and up from that at act(gate) up.
    /// - Parameters:
    ///   - input: gate and up side by side, in slots of `tokens` rows of 2 * width values from element `offset` on
    ///   - lists, slots: as above
    ///   - g: [slots.count, tokens, width]
    ///   - out: [slots.count, tokens, 2 * width]
    package func gated(
        input: Buffer<Float>, offset: Int = 0, lists: Buffer<Int32>, slots: Range<Int>, tokens: Int, width: Int,
        activation: ActivationKind, g: Buffer<Float>, out: Buffer<Float>
    ) throws(CLError) {
        let values = slots.count * tokens * width
        guard offset >= 0, tokens >= 0, width >= 0, offset + 2 * tokens * width <= input.count,
            slots.lowerBound >= 0, slots.upperBound <= lists.count, values <= g.count, 2 * values <= out.count
        else {
            throw .shape(
                operation: "activation_backward_gated", expected: "\(slots.count) x \(tokens) rows of \(width)",
                got: "\(input.count), \(g.count) and \(out.count)")
        }
        try gatedKernel.launch(
            global: [(width + vector - 1) / vector, tokens, slots.count],
            [
                "in": input, "offset": offset, "lists": lists, "first": slots.lowerBound, "width": width,
                "activation": activation.rawValue, "g": g, "out": out,
            ])
    }
}
