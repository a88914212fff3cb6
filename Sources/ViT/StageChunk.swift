import Kernels

/// Some passes that an attention or MLP stage computes together, and what is swapped inside it. All offsets count into
/// the wave's lists.
package struct StageChunk: Sendable, Equatable {
    /// What the passes of a chunk start from
    package enum Start: Sendable, Equatable {
        /// Their residual stream: layer norm, then everything
        case stream
        /// Copies of other passes' q, k, v, or of their hidden layer: born, or given, here
        case inner
        /// Copies of other passes' z
        case outer
    }

    package var start: Start
    /// List entries that name the rows of x; only their number counts where the start is not the stream
    package var rows: Range<Int>
    /// The first pass's slot in the workspace; the others follow
    package var slot: Int
    /// The first pass's position in o; the others follow
    package var position: Int
    /// What `inner` and `outer` start from: k and v (columns 0 ..< 2D), hidden layer or z; and q
    package var copies = Entries(), qCopies = Entries()
    /// Swaps in k and v (columns 0 ..< 2D) or in the hidden layer; and in q
    package var slices = Entries(), qSlices = Entries()
    /// Patterns taken from other passes: see `Attention.pattern`
    package var patterns = Entries()
    package var zSlices = Entries()
    /// List entries, one a pass as `rows`: the row of x that its output is added to as it is computed, or a negative number
    /// where it goes to o. nil: all go to o
    package var adds: Int?
    /// Whose weights: 0 the model, 1 the donor
    package var model = 0

    package init(start: Start, rows: Range<Int>, slot: Int, position: Int) {
        self.start = start
        self.rows = rows
        self.slot = slot
        self.position = position
    }
}
