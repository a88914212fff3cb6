/// Candidates that `vitpatch tune` measures on a device, in rounds; later rounds vary the best so far.
extension GEMMChoice {
    /// Providers with their register tiles, then the packed one's cache blocks.
    package static func rounds(_ library: KernelLibrary) -> [@Sendable (_ best: GEMMChoice?) -> [GEMMChoice]] {
        let (width, isGPU) = (library.tuning.vector, library.context.device.isGPU)
        return [
            { _ in
                let packed = registerTiles(width).map { GEMMChoice(provider: .packed, tile: $0) }
                // On CPUs, kernels that use local memory are far slower; CLBlast with its own parameters represents
                // them.
                let tiles = isGPU ? clblastTiles.map { GEMMChoice(provider: .clblast, clblast: $0) } : []
                let tiled = isGPU ? tiledTiles.map { GEMMChoice(provider: .tiled, tiled: $0) } : []
                return [GEMMChoice(provider: .clblast)] + tiled + tiles + packed
            },
            { best in around(best) { tile in [256, 384, 512, 1024].map { with(tile, depth: $0, block: tile.block) } } },
            { best in around(best) { tile in [24, 48, 192, 384].map { with(tile, depth: tile.depth, block: $0) } } },
        ]
    }

    /// As many accumulators as registers hold, in several shapes.
    private static func registerTiles(_ width: Int) -> [PackedGEMM.Tile] {
        let shapes =
            width >= 16 ? [(12, 2), (14, 2), (8, 3), (6, 4)] : width == 8 ? [(6, 2), (4, 3)] : [(6, 2), (4, 2)]
        return shapes.map { with(.init(vector: width, rows: $0.0, vectors: $0.1), depth: 768, block: 96) }
    }

    /// The same tile with other cache blocks, rounded up to whole tiles.
    private static func with(_ tile: PackedGEMM.Tile, depth: Int, block: Int) -> PackedGEMM.Tile {
        var tile = tile
        (tile.depth, tile.block) = (depth, (block + tile.rows - 1) / tile.rows * tile.rows)
        return tile
    }

    private static func around(
        _ best: GEMMChoice?, _ others: (PackedGEMM.Tile) -> [PackedGEMM.Tile]
    ) -> [GEMMChoice] {
        guard let best, best.provider == .packed, let tile = best.tile else { return [] }
        return others(tile).map { GEMMChoice(provider: .packed, tile: $0) }
    }

    /// 64 to 256 work-items of 8 x 8 to 16 x 8 each, K in pieces of 8 or 16.
    private static var tiledTiles: [TiledGEMM.Tile] {
        let eights = [(128, 128), (128, 64), (64, 64)].flatMap { rows, columns in
            [8, 16].map { TiledGEMM.Tile(rows: rows, columns: columns, depth: $0) }
        }
        let wide = [8, 16].flatMap { depth in
            [
                TiledGEMM.Tile(rows: 256, columns: 128, depth: depth, rowsPerItem: 16, columnsPerItem: 8),
                TiledGEMM.Tile(rows: 128, columns: 256, depth: depth, rowsPerItem: 8, columnsPerItem: 16),
            ]
        }
        return wide + eights
    }

    /// Usual tiles of GEMM on GPUs: work-groups of 64 to 256, each work-item 4 x 4 to 8 x 8.
    private static var clblastTiles: [CLBlastGEMM.Tile] {
        var tiles: [CLBlastGEMM.Tile] = []
        for (m, n, x, y) in [(64, 64, 8, 8), (64, 64, 16, 16), (128, 64, 16, 8), (128, 64, 16, 16), (128, 128, 16, 16)]
        {
            for depth in [16, 32] {
                for vector in [2, 4] {
                    for isCached in [true, false] {
                        tiles.append(
                            .init(
                                rows: m, columns: n, depth: depth, rowThreads: x, columnThreads: y, vector: vector,
                                isCached: isCached))
                    }
                }
            }
        }
        return tiles.filter(\.isSound)
    }
}
