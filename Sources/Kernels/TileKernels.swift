import CLRuntime

/// The tile that a work-group of a GEMM computes.
protocol GroupTile {
    var rows: Int { get }
    var columns: Int { get }
    /// Work-items of the group
    var items: Int { get }
    /// Speed where tiles fill the device, relative to the provider's large tile
    var efficiency: Double { get }
    var name: String { get }
}

/// How weights reach local memory: `ASYNC` of copy_async.cl
enum WeightCopies: Int {
    case throughRegisters, async, plain
}

/// The kernels of a GEMM with several tiles that give the same bits: one for each tile and activation, compiled at its
/// first use.
struct TileKernels<Tile: GroupTile> {
    let tiles: [Tile]
    /// Multiprocessors
    let units: Int
    let compile: (Tile, ActivationKind) throws(CLError) -> Kernel
    private var kernels: [String: Kernel] = [:]

    init(
        _ tiles: [Tile], units: Int, compile: @escaping (Tile, ActivationKind) throws(CLError) -> Kernel
    ) {
        (self.tiles, self.units, self.compile) = (tiles, units, compile)
    }

    private mutating func kernel(_ tile: Tile, _ activation: ActivationKind) throws(CLError) -> Kernel {
        let key = "\(tile.name) \(activation.rawValue)"
        if let kernel = kernels[key] { return kernel }
        let kernel = try compile(tile, activation)
        kernels[key] = kernel
        return kernel
    }

    /// The tile that is fastest for [rows, columns] outputs, or the next best one where its kernel takes more registers
    /// than its group has. There is at least one tile.
    mutating func fastest(
        rows: Int, columns: Int, _ activation: ActivationKind
    ) throws(CLError) -> (tile: Tile, kernel: Kernel) {
        let byCost = tiles.sorted { cost($0, rows, columns) < cost($1, rows, columns) }
        for tile in byCost.dropLast() {
            let kernel = try kernel(tile, activation)
            if kernel.maxGroupSize >= tile.items { return (tile, kernel) }
        }
        let last = byCost[byCost.count - 1]
        return (last, try kernel(last, activation))
    }

    /// Relative time: rounds of one tile per multiprocessor, times the work of a tile
    private func cost(_ tile: Tile, _ rows: Int, _ columns: Int) -> Double {
        let count = ((rows + tile.rows - 1) / tile.rows) * ((columns + tile.columns - 1) / tile.columns)
        return Double((count + units - 1) / max(units, 1) * tile.rows * tile.columns) / tile.efficiency
    }
}
