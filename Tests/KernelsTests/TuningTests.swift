import CLRuntime
@testable import Kernels
import Testing
import Verification

/// Kernels on devices that allow smaller groups than the tuning's, and the tiles of device families.
struct TuningTests {
    /// CL_KERNEL_WORK_GROUP_SIZE depends on the registers that a kernel uses.
    @Test(arguments: [24, 1]) func kernelsTakeSmallerGroups(limit: Int) throws {
        let library = try library(tunings[2])
        library.context.groupLimit = limit
        try expectPassing(
            OpCase.layerNormCases + OpCase.residualCases + OpCase.slicesCases + OpCase.embedCases + OpCase.poolCases
                + OpCase.metricsCases + OpCase.noiseCases + OpCase.biasActivationCases
                + OpCase.attentionCases.prefix(3) + OpCase.attentionPatternCases.prefix(2), on: library)
    }

    @Test func whatCannotBeSmallerIsRefusedByName() throws {
        let library = try library(tunings[2])
        library.context.groupLimit = 8
        let gemm = try GEMMChoice(provider: .tiled).make(library)
        let weight = try gemm.prepare(weight: [1, 2], bias: [0], outputs: 1, inputs: 2)
        let a = try Buffer<Float>(library.context, [1, 2]), out = try Buffer<Float>(library.context, count: 1)
        #expect(
            performing: {
                try gemm(
                    a: Matrix(a, stride: 2), weight: weight, rows: 1, activation: .none, out: Matrix(out, stride: 1),
                    residual: nil)
            },
            throws: {
                guard case CLError.shape(operation: "gemm_tiled", expected: let expected, got: _) = $0 else {
                    return false
                }
                return expected == "groups of at most 8 work-items on this device"
            })
    }

    /// A tile with too many work-items for its registers is replaced by a smaller one.
    @Test func aSmallerTileTakesTheLargerOnesPlace() throws {
        let library = try library(tunings[2])
        // This tile has 256 work-items, the next one (64 x 64) has 64. The product is large enough for both.
        let gemm = try TiledGEMM(library, tile: TiledGEMM.Tile(rows: 128, columns: 128)), (size, k) = (256, 3)
        library.context.groupLimit = 64
        let a = (0..<(size * k)).map { Float($0 % 11) }, weight = (0..<(size * k)).map { Float($0 % 7) }
        let out = try Buffer<Float>(library.context, count: size * size)
        try gemm(
            a: Matrix(try Buffer(library.context, a), stride: k),
            weight: gemm.prepare(
                weight: weight, bias: [Float](repeating: 0, count: size), outputs: size, inputs: k), rows: size,
            activation: .none, out: Matrix(out, stride: size), residual: nil)
        var expected = [Float](repeating: 0, count: size * size)
        for row in 0..<size {
            for column in 0..<size {
                for i in 0..<k { expected[row * size + column] += a[row * k + i] * weight[column * k + i] }
            }
        }
        #expect(try out.read() == expected)
    }

    @Test func familiesAreKnownByTheirMakers() {
        for (vendor, family) in [
            ("NVIDIA Corporation", DeviceFamily.nvidia), ("Advanced Micro Devices, Inc.", .amd), ("AMD", .amd),
            ("Intel(R) Corporation", .intelGPU), ("University of Bristol", .otherGPU), ("", .otherGPU),
        ] {
            #expect(DeviceFamily(isGPU: true, vendor: vendor) == family)
            #expect(DeviceFamily(isGPU: false, vendor: vendor) == .cpu)
        }
    }

    @Test(arguments: DeviceFamily.allCases) func tilesOfFamilies(family: DeviceFamily) {
        let tiles = family.tiles
        #expect(tiles.allSatisfy(\.isSound) && tiles.count > 1)
        // The first tile that fits is used, so smaller ones follow; the last fits any OpenCL 1.2 device.
        #expect(zip(tiles, tiles.dropFirst()).allSatisfy { $0.rows * $0.columns > $1.rows * $1.columns })
        let small = tiles[tiles.count - 1]
        #expect(small.rows == 32 && small.rowsPerItem * small.columnsPerItem == 16)
    }

    /// Steps and tiles of different families sum each output in the same order.
    @Test func tilesGiveTheSameBits() throws {
        let library = try library(tunings[2]), (m, n, k) = (70, 67, 45)
        func values(_ count: Int) -> [Float] { (0..<count).map { _ in .random(in: -1...1) } }
        let a = values(m * k), weight = values(n * k), bias = values(n)
        let families = [DeviceFamily.nvidia, .amd, .intelGPU].flatMap(\.tiles).filter { $0.rows <= 64 }
        let tiles = families.map { ($0, WeightCopies.throughRegisters) } + [(families[0], .plain)]
        let results = try tiles.map { tile, copies in
            let gemm = try TiledGEMM(library, tile: tile, copies: copies)
            let out = try Buffer<Float>(library.context, count: m * n)
            try gemm(
                a: Matrix(try Buffer(library.context, a), stride: k),
                weight: gemm.prepare(weight: weight, bias: bias, outputs: n, inputs: k), rows: m, activation: .none,
                out: Matrix(out, stride: n), residual: nil)
            return try out.read()
        }
        for (tile, result) in zip(tiles, results) { #expect(result == results[0], "\(tile)") }
    }
}
