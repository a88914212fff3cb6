import CLRuntime
import Kernels
import Reference
import Testing
import Verification

struct ActivationTests {
    @Test(arguments: tunings) func agreesWithTheReference(_ tuning: Tuning?) throws {
        try expectPassing(OpCase.biasActivationCases, on: try library(tuning))
    }

    /// GELU is a fit, so it is compared with the exact one densely, not only at random points.
    @Test(arguments: tunings) func geluIsWithinTwoRoundings(_ tuning: Tuning?) throws {
        let library = try library(tuning), width = 1 << 16, shift = Float.random(in: 0..<1)
        // Steps of 2^-11 over the bend, of 2^-17 around zero, and powers of two up to fp32's limits.
        let bend = (0..<width).map { (Float($0) - Float(width) / 2 + shift) / 2048 }
        let near = (0..<width).map { (Float($0) - Float(width) / 2 + shift) / 131_072 }
        let ends = (0..<width).map {
            Float(sign: $0 % 2 == 0 ? .plus : .minus, exponent: $0 / 2 % 254 - 126, significand: 1 + shift)
        }
        let values = bend + near + ends
        let out = try Buffer(library.context, values)
        let bias = try Buffer<Float>(library.context, count: width)
        try bias.fill(0)
        try BiasActivation(library)(out: out, stride: width, rows: 3, width: width, bias: bias, activation: .gelu)
        let rounding = 0x1p-24  // relative, of one Float
        var worst = 0.0, at: Float = 0
        for (x, result) in zip(values, try out.read()) {
            let error = abs(Double(result) - ReferenceActivation.gelu(Double(x))) / max(abs(Double(x)), 1e-30)
            if !(error <= worst) { (worst, at) = (error, x) }
        }
        #expect(worst <= 2 * rounding, "\(worst / rounding) roundings at \(at)")
    }

    @Test func notANumberStaysOne() throws {
        let library = try library(), width = 37
        for activation in ActivationKind.allCases where activation != .relu {
            let out = try Buffer(library.context, [Float](repeating: .nan, count: width))
            let bias = try Buffer<Float>(library.context, count: width)
            try bias.fill(0)
            try BiasActivation(library)(
                out: out, stride: width, rows: 1, width: width, bias: bias, activation: activation)
            #expect(try out.read().allSatisfy(\.isNaN), "\(activation)")
        }
    }

    @Test func refusesWrongSizes() throws {
        let library = try library(), context = library.context
        let operation = try BiasActivation(library)
        let out = try Buffer<Float>(context, count: 20), bias = try Buffer<Float>(context, count: 5)
        func run(offset: Int = 0, stride: Int = 5, rows: Int = 4, width: Int = 5) throws {
            try operation(
                out: out, offset: offset, stride: stride, rows: rows, width: width, bias: bias, activation: .gelu)
        }
        expectShapeError(context) { try run(rows: 5) }
        expectShapeError(context) { try run(offset: 1) }
        expectShapeError(context) { try run(offset: -1) }
        expectShapeError(context) { try run(stride: 6) }
        expectShapeError(context) { try run(stride: 4) }
        expectShapeError(context) { try run(width: 4) }
        try run()
    }
}
