/// One sentence that names what is at fault: a file, a tensor, a device, or an argument.
public struct VitPatchError: Error, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

/// The result of a pass on one image.
public struct PassResult: Sendable, Equatable {
    /// Probability and logit of the target class
    public let probability: Float, logit: Float
    /// The most probable class
    public let prediction: Int
}

/// The passes of some images, patched and not.
public struct PatchResults: Sendable {
    public let clean: [PassResult]  // [images]
    public let corrupted: [PassResult]  // [images]
    public let patched: [[PassResult]]  // [patches][images]
    let directions: [ActivationPatch.Direction]

    /// The effect of each patch on the target's probability: patched pass - receiving pass, [patches][images].
    public var effects: [[Float]] {
        zip(patched, directions).map { passes, direction in
            zip(passes, direction == .restore ? corrupted : clean).map { $0.probability - $1.probability }
        }
    }
}
