/// What each stage of a wave does, as lists of rows, worked out before anything runs.
///
/// Rows of a wave of B images: 0 ..< B are the clean passes, B ..< 2B the corrupted ones, and patch k (in the order of
/// birth) has 2B + kB ..< 2B + (k + 1)B. A patched pass is born at its first patched place: upstream of that it is the
/// receiving pass, and nothing is computed for it. Rows inside an `attn_out` (`mlp_out`) window are not in the list of
/// the attention (MLP) stage; the add gives them the source's output.
struct Schedule {
    /// Offsets into `lists`, `count` entries each
    struct Copy: Equatable { var dst: Int, src: Int, count: Int }
    struct Add: Equatable { var dst: Int, base: Int, src: Int, count: Int }

    struct Stage {
        /// Rows that compute this stage
        var rows = 0..<0
        /// First the rows that are born here (their base is another row), then those that go on in place
        var births = Add(dst: 0, base: 0, src: 0, count: 0)
        var inPlace = Add(dst: 0, base: 0, src: 0, count: 0)
    }

    struct Layer {
        var residPre = Copy(dst: 0, src: 0, count: 0)
        var attention = Stage()
        var residMid = Copy(dst: 0, src: 0, count: 0)
        var mlp = Stage()
        var residPost = Copy(dst: 0, src: 0, count: 0)
    }

    let images: Int
    let basePasses: Int
    let rows: Int
    var layers: [Layer] = []
    /// All lists, one after the other; the first `rows` entries are 0 ..< rows
    var lists: [Int32]
    /// Row block of each patch, in the order the patches were given: its rows are block * B ..< (block + 1) * B
    private(set) var blocks: [Int]
    /// (row, stage, layer) evaluations
    private(set) var evaluations = 0

    /// - Parameters:
    ///   - basePasses: 2, clean and corrupted; 1 for clean passes alone, and no patches
    ///   - own: patch every pass with its own activations instead of the other pass's: changes no bit
    init(patches: [Patch], images: Int, layers layerCount: Int, basePasses: Int = 2, own: Bool = false) {
        self.images = images
        self.basePasses = basePasses
        rows = images * (basePasses + patches.count)
        lists = (0..<Int32(rows)).map { $0 }

        let places = patches.map(\.places)
        let births = places.map { $0.keys.min() }
        let order = patches.indices.sorted { a, b in
            switch (births[a], births[b]) {
            case (let x?, let y?): x == y ? a < b : x < y
            case (_?, nil): true
            case (nil, _?): false
            case (nil, nil): a < b
            }
        }
        blocks = [Int](repeating: 0, count: patches.count)
        for (k, patch) in order.enumerated() { blocks[patch] = basePasses + k }

        // Per patch: the pass that receives, and the one that gives, as row blocks.
        let base = patches.map { $0.direction == .restore ? 1 : 0 }
        let source = patches.indices.map { own ? base[$0] : 1 - base[$0] }

        var alive = Set<Int>()
        /// Full-token swaps at a residual place; a row that is not alive yet is born by it.
        func copies(_ place: Place) -> Copy {
            let swapped = order.filter { places[$0][place] != nil }
            alive.formUnion(swapped)
            let dst = appendRows(swapped.map { blocks[$0] })
            let src = appendRows(swapped.map { source[$0] })
            return Copy(dst: dst, src: src, count: swapped.count * images)
        }
        func stage(_ place: Place) -> Stage {
            let swapped = Set(order.filter { places[$0][place] != nil })
            let born = order.filter { swapped.contains($0) && !alive.contains($0) }
            let going = order.filter { alive.contains($0) }
            alive.formUnion(born)

            // What is computed, and where each block's output lies.
            let computed = Array(0..<basePasses) + going.filter { !swapped.contains($0) }.map { blocks[$0] }
            let position = Dictionary(uniqueKeysWithValues: computed.enumerated().map { ($0.element, $0.offset) })
            var stage = Stage()
            let first = appendRows(computed)
            stage.rows = first..<(first + computed.count * images)
            evaluations += computed.count * images

            func output(_ patch: Int) -> Int { position[swapped.contains(patch) ? source[patch] : blocks[patch]] ?? 0 }
            stage.births = Add(
                dst: appendRows(born.map { blocks[$0] }), base: appendRows(born.map { base[$0] }),
                src: appendRows(born.map(output)), count: born.count * images)
            let inPlace = appendRows(Array(0..<basePasses) + going.map { blocks[$0] })
            stage.inPlace = Add(
                dst: inPlace, base: inPlace, src: appendRows(Array(0..<basePasses) + going.map(output)),
                count: (basePasses + going.count) * images)
            return stage
        }
        for layer in 0..<layerCount {
            var steps = Layer()
            steps.residPre = copies(Place(layer: layer, stage: .residPre))
            steps.attention = stage(Place(layer: layer, stage: .attention))
            steps.residMid = copies(Place(layer: layer, stage: .residMid))
            steps.mlp = stage(Place(layer: layer, stage: .mlp))
            steps.residPost = copies(Place(layer: layer, stage: .residPost))
            layers.append(steps)
        }
        // A patch without a place (a window outside the network) is the receiving pass itself.
        let unborn = order.filter { births[$0] == nil }
        for patch in unborn { blocks[patch] = base[patch] }
    }

    /// Appends the rows of blocks (or positions) to the lists; returns where they start.
    private mutating func appendRows(_ blocks: [Int]) -> Int {
        let start = lists.count
        for block in blocks { lists.append(contentsOf: (0..<images).map { Int32(block * images + $0) }) }
        return start
    }

    /// Evaluations that a full forward pass for every patch would need.
    static func fullPassEvaluations(patches: Int, images: Int, layers: Int) -> Int {
        (2 + patches) * images * layers * 2
    }
}
