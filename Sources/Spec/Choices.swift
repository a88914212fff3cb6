/// Which images of a sweep count.
package enum Keep: String, Sendable, CaseIterable {
    case all
    /// The clean pass is right
    case cleanCorrect = "clean-correct"
    /// The clean pass is right and the corrupted one wrong
    case flipped
}

/// The class whose probability is tracked.
package enum Target: String, Sendable, CaseIterable { case label, clean }
