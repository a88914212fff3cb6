import CLRuntime
import Testing
import Verification

@testable import Kernels

@Suite(.serialized) struct GEMMTests {
    /// All providers. The packed one with tiles for AVX2 and AVX-512, and with small blocks; the tiled one with its own
    /// tile, which small results do not fill, with uneven parts, and in the order that belongs to asynchronous copies;
    /// AMX's on a model of its units, also with one strip of rows and four panels per task.
    enum Provider: CaseIterable {
        case clblast, avx2, avx512, smallBlocks, tiled, unevenTiles, copies, amx, amxOneStrip, amxOnePart

        func make(_ library: KernelLibrary) throws -> any GEMM {
            switch self {
            case .clblast: try CLBlastGEMM(library)
            case .avx2: try PackedGEMM(library, tile: .init(vectorWidth: 8))
            case .avx512: try PackedGEMM(library, tile: .init(vectorWidth: 16))
            case .tiled: try TiledGEMM(library)
            case .unevenTiles:
                try TiledGEMM(library, tile: .init(rows: 48, columns: 16, depth: 4, rowsPerItem: 12, columnsPerItem: 8))
            case .copies:
                try TiledGEMM(
                    library, tile: .init(rows: 32, columns: 32, depth: 16, rowsPerItem: 4, columnsPerItem: 4),
                    copies: .plain)
            case .smallBlocks: try PackedGEMM(library, tile: .init(vector: 4, rows: 5, vectors: 1, depth: 7, block: 10))
            case .amx: try AMXGEMM(library, precision: .bf16x3, units: .model)
            case .amxOneStrip: try AMXGEMM(library, precision: .bf16x3, units: .model, most: 1)
            case .amxOnePart: try AMXGEMM(library, precision: .bf16, units: .model)
            }
        }
    }

    @Test(arguments: Provider.allCases) func agreesWithTheReference(_ provider: Provider) throws {
        let library = try library()
        let gemm = try provider.make(library)
        try expectPassing(OpCase.gemmCases(gemm), on: library)
    }

    /// CLBlast's epilogue is our own kernel, so it is tested in both tunings.
    @Test(arguments: GEMMProvider.exact) func agreesWithTheReferenceInGroups(_ provider: GEMMProvider) throws {
        let library = try library(tunings[1])
        try expectPassing(Array(OpCase.gemmCases(try provider.make(library)).prefix(3)), on: library)
    }

    @Test(arguments: Provider.allCases) func aRowHasTheSameBitsAmongAnyNumberOfRows(_ provider: Provider) throws {
        let library = try library(), seed = freshSeed()
        let result = try rowsAlone(provider.make(library), library, seed: seed)
        #expect(result.passed, "\(result.error) values differ, seed \(seed)")
    }

    @Test(arguments: Provider.allCases) func addsToTheResidualStream(_ provider: Provider) throws {
        let library = try library(), seed = freshSeed()
        for result in try residualChecks(provider.make(library), library, seed: seed) {
            #expect(result.passed, "\(result.detail): \(result.error) values differ, seed \(seed)")
        }
    }

    @Test(arguments: Provider.allCases) func refusesWrongResidualRows(_ provider: Provider) throws {
        let library = try library(), context = library.context
        let gemm = try provider.make(library)
        let weight = try gemm.prepare(weight: [1, 2, 3], bias: [0, 0, 0], outputs: 3, inputs: 1)
        let values = try Buffer<Float>(context, count: 15), x = try Buffer<Float>(context, count: 20)
        let lists = try Buffer<Int32>(context, [0, 1, 2])
        func run(rowStride: Int = 6, first: Int = 0, tokens: Int = 2) throws {
            try gemm(
                a: Matrix(values, stride: 1), weight: weight, rows: 5, activation: .none,
                out: Matrix(values, stride: 3),
                residual: ResidualRows(x: x, rowStride: rowStride, lists: lists, first: first, tokens: tokens))
        }
        expectShapeError(context) { try run(tokens: 0) }
        expectShapeError(context) { try run(tokens: 1) }
        expectShapeError(context) { try run(rowStride: 5) }
        expectShapeError(context) { try run(rowStride: 21) }
        expectShapeError(context) { try run(first: 1) }
        expectShapeError(context) { try run(first: -1) }
    }

    @Test(arguments: Provider.allCases) func refusesWrongSizes(_ provider: Provider) throws {
        let library = try library(), context = library.context
        let gemm = try provider.make(library)
        let (m, n, k) = (3, 5, 7)
        let weight = try gemm.prepare(
            weight: [Float](repeating: 1, count: n * k), bias: [Float](repeating: 1, count: n), outputs: n, inputs: k)
        let a = try Buffer<Float>(context, count: m * k), out = try Buffer<Float>(context, count: m * n)
        func run(_ a: Matrix, rows: Int = 3, _ out: Matrix) throws {
            try gemm(a: a, weight: weight, rows: rows, activation: .none, out: out)
        }
        let goodA = Matrix(a, stride: k), goodOut = Matrix(out, stride: n)
        expectShapeError(context) { try run(Matrix(a, offset: 1, stride: k), goodOut) }
        expectShapeError(context) { try run(Matrix(a, offset: -1, stride: k), goodOut) }
        expectShapeError(context) { try run(Matrix(a, stride: k + 1), goodOut) }
        expectShapeError(context) { try run(Matrix(a, stride: k - 1), goodOut) }
        expectShapeError(context) { try run(goodA, Matrix(out, offset: 1, stride: n)) }
        expectShapeError(context) { try run(goodA, Matrix(out, stride: n - 1)) }
        expectShapeError(context) { try run(goodA, rows: 4, goodOut) }
        expectShapeError(context) { _ = try gemm.prepare(weight: [1], bias: [1], outputs: 2, inputs: 1) }
        expectShapeError(context) { _ = try gemm.prepare(weight: [1, 2], bias: [1], outputs: 2, inputs: 1) }

        let before = context.counters
        try run(goodA, rows: 0, goodOut)
        #expect(context.counters == before)
    }

    @Test func aWeightOfAnotherProviderIsRefused() throws {
        let library = try library()
        let packed = try PackedGEMM(library), clblast = try CLBlastGEMM(library), tiled = try TiledGEMM(library)
        let values = try Buffer<Float>(library.context, count: 4)
        for (gemm, other) in [(packed, clblast), (clblast, tiled), (tiled, packed)] as [(any GEMM, any GEMM)] {
            let weight = try other.prepare(weight: [1], bias: [1], outputs: 1, inputs: 1)
            expectShapeError(library.context) {
                try gemm(
                    a: Matrix(values, stride: 1), weight: weight, rows: 1, activation: .none,
                    out: Matrix(values, stride: 1))
            }
        }
    }

    @Test func unsoundTilesAreRefused() throws {
        let library = try library()
        for tile in [
            TiledGEMM.Tile(rows: 30, columns: 32), .init(rows: 64, columns: 64, rowsPerItem: 6),
            .init(rows: 64, columns: 64, depth: 0), .init(rows: 4, columns: 4, depth: 256, rowsPerItem: 8),
        ] {
            expectShapeError(library.context) { _ = try TiledGEMM(library, tile: tile) }
        }
    }

    /// The largest tile takes 1 MiB of local memory; CPU devices may have more.
    @Test func tilesThatDoNotFitAreRefused() throws {
        let library = try library(), tile = TiledGEMM.Tile(rows: 256, columns: 256, depth: 256)
        if library.context.device.localMemory >= 1 << 20 { return }
        expectShapeError(library.context) { _ = try TiledGEMM(library, tile: tile) }
    }

    @Test(arguments: GEMMProvider.exact) func isProfiled(_ provider: GEMMProvider) throws {
        let context = try Context(device: try Device.select(nil), profiling: true)
        let gemm = try GEMMChoice(provider: provider).make(KernelLibrary(context))
        let weight = try gemm.prepare(weight: [1, 2], bias: [0], outputs: 1, inputs: 2)
        let values = try Buffer<Float>(context, [3, 4]), out = try Buffer<Float>(context, count: 1)
        try gemm(a: Matrix(values, stride: 2), weight: weight, rows: 1, activation: .none, out: Matrix(out, stride: 1))
        #expect(try out.read() == [11])
        let names = try context.takeProfile().map(\.name).filter { $0 != "upload" }
        let own = provider == .clblast ? ["clblast_sgemm", "bias_activation"] : ["gemm_\(provider.rawValue)"]
        #expect(names == own + ["read"])
    }
}
