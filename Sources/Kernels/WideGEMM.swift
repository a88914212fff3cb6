import CLRuntime

/// The provider of a split precision: matrix units for products of at least `least` inputs, the device's fp32 provider
/// for the others. Rounding errors average out over many inputs; small models with few have little time to save, and
/// some amplify those errors to 4e-5 in probability.
package final class WideGEMM: GEMM {
    /// The fewest inputs of a product on matrix units
    static let least = 96
    /// The fewest columns of a head whose attention runs on matrix units
    static let leastHead = 32

    private let wide: any GEMM
    private let narrow: any GEMM
    package var name: String { wide.name }
    package var precision: Precision { wide.precision }

    private final class Weight: GEMMWeight {
        let own: any GEMMWeight
        var outputs: Int { own.outputs }
        var inputs: Int { own.inputs }
        init(_ own: any GEMMWeight) { self.own = own }
    }

    /// - Parameters:
    ///   - wide: of a split precision
    ///   - narrow: of fp32
    init(wide: any GEMM, narrow: any GEMM) { (self.wide, self.narrow) = (wide, narrow) }

    private func provider(inputs: Int) -> any GEMM { inputs < Self.least ? narrow : wide }

    package func prepare(
        weight: [Float], bias: [Float], outputs: Int, inputs: Int
    ) throws(CLError) -> any GEMMWeight {
        Weight(try provider(inputs: inputs).prepare(weight: weight, bias: bias, outputs: outputs, inputs: inputs))
    }

    package func callAsFunction(
        a: Matrix, weight: any GEMMWeight, rows: Int, activation: ActivationKind, out: Matrix, residual: ResidualRows?
    ) throws(CLError) {
        let weight = try validated(weight, as: Weight.self, a, rows, out, residual)
        let gemm = provider(inputs: weight.inputs)
        try gemm(
            a: a, weight: weight.own, rows: rows, activation: activation, out: out, residual: residual)
    }

    package func temporaryBytes(rows: Int, outputs: Int, inputs: Int) throws(CLError) -> Int {
        try provider(inputs: inputs).temporaryBytes(rows: rows, outputs: outputs, inputs: inputs)
    }
}
