import CLRuntime
import Testing

@testable import Kernels

/// A split precision's provider leaves narrow products to fp32's.
@Suite(.serialized) struct WideGEMMTests {
    /// Both have the bits of the provider that they belong to.
    @Test(arguments: [WideGEMM.least - 1, WideGEMM.least]) func choosesByInputs(inputs: Int) throws {
        let library = try library()
        let units = try AMXGEMM(library, precision: .bf16x3, units: .model), exact = try PackedGEMM(library)
        let gemm = WideGEMM(wide: units, narrow: exact)
        let (rows, outputs) = (5, 37)
        let a = (0..<(rows * inputs)).map { _ in Float.random(in: -2...2) }
        let weight = (0..<(outputs * inputs)).map { _ in Float.random(in: -2...2) }
        let bias = (0..<outputs).map { _ in Float.random(in: -2...2) }
        func product(_ gemm: any GEMM) throws -> [Float] {
            let out = try Buffer<Float>(library.context, count: rows * outputs)
            try out.fill(.nan)
            try gemm(
                a: Matrix(try Buffer(library.context, a), stride: inputs),
                weight: gemm.prepare(weight: weight, bias: bias, outputs: outputs, inputs: inputs), rows: rows,
                activation: .gelu, out: Matrix(out, stride: outputs))
            return try out.read()
        }
        let (own, onUnits, inFP32) = (try product(gemm), try product(units), try product(exact))
        #expect(onUnits != inFP32)
        #expect(own == (inputs < WideGEMM.least ? inFP32 : onUnits))
        #expect(gemm.precision == .bf16x3 && gemm.name == units.name)
    }

    @Test func refusesAnotherProvidersWeight() throws {
        let library = try library()
        let exact = try PackedGEMM(library)
        let gemm = WideGEMM(wide: try AMXGEMM(library, precision: .bf16x3, units: .model), narrow: exact)
        let weight = try exact.prepare(weight: [1], bias: [0], outputs: 1, inputs: 1)
        let buffer = try Buffer<Float>(library.context, count: 1)
        expectShapeError(library.context) {
            try gemm(
                a: Matrix(buffer, stride: 1), weight: weight, rows: 1, activation: .none,
                out: Matrix(buffer, stride: 1))
        }
    }

    /// Narrow heads have fp32's bits, wider ones do not.
    @Test(arguments: [WideGEMM.leastHead - 1, WideGEMM.leastHead]) func attentionChoosesByHead(dim: Int) throws {
        let exact = try library()
        let tiles = KernelLibrary(
            exact.context, precision: .bf16x3, tiles: .model, narrowestHead: WideGEMM.leastHead)
        let qkv = (0..<(40 * 3 * dim)).map { _ in Float.random(in: -2...2) }
        let same = try selfAttention(tiles, qkv: qkv, dim: dim) == selfAttention(exact, qkv: qkv, dim: dim)
        #expect(same == (dim < WideGEMM.leastHead))
    }
}
