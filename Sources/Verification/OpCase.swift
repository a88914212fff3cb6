import CLRuntime
import Kernels
import Reference

/// One device operation at one size: how to run it, the expected output, and its cost. Shared by the tests, `vitpatch
/// verify` and `vitpatch bench`.
package struct OpCase {
    package let name: String
    /// The size, as text
    package let shape: String
    /// Floating-point operations of the formula
    package let flops: Int
    /// Minimum memory traffic in bytes: every input read once, every output written once
    package let bytes: Int
    /// The largest allowed error of an element, relative to its scale in `Expected`; derived where it is set
    package let tolerance: Double
    /// At precisions below fp32, the additional error allowed per unit of relative error of the kernel's products; 0 if
    /// it has none
    package let productSensitivity: Double
    /// Uploads inputs drawn from the generator, and poisons everything that the operation may not read or must write.
    package let prepare: (KernelLibrary, inout SplitMix64) throws -> PreparedOp

    package init(
        name: String, shape: String, flops: Int, bytes: Int, tolerance: Double,
        productSensitivity: Double = 0, prepare: @escaping (KernelLibrary, inout SplitMix64) throws -> PreparedOp
    ) {
        self.name = name
        self.shape = shape
        self.flops = flops
        self.bytes = bytes
        self.tolerance = tolerance
        self.productSensitivity = productSensitivity
        self.prepare = prepare
    }

    /// Compared with `--max-size`: the larger of floating-point operations and bytes
    package var size: Int { max(flops, bytes) }

    /// Runs the operation once on inputs of this seed and compares every element of its output.
    package func check(_ library: KernelLibrary, seed: UInt64) throws -> VerifyResult {
        var random = SplitMix64(seed: seed)
        let op = try prepare(library, &random)
        try op.launch()
        let error = op.expected().error(of: try op.output())
        return VerifyResult(name: name, detail: shape, error: error, tolerance: tolerance(library.precision))
    }

    /// Tensor cores truncate sums instead of rounding, at twice the unit: 4 roundings for one.
    private func tolerance(_ precision: Precision) -> Double {
        if precision == .fp32 || productSensitivity == 0 { return tolerance }
        return 4 * tolerance + productSensitivity * precision.productError
    }
}

/// An operation with its inputs on the device.
package struct PreparedOp {
    /// Enqueues the operation once.
    package let launch: () throws -> Void
    /// Everything that it may write, and the poison around it
    package let output: () throws -> [Float]
    /// The same from the reference, in Double
    package let expected: () -> Expected
}

/// The expected output, element by element.
package struct Expected {
    /// NaN where the operation may not write
    package var values: [Double]
    /// The magnitude that an element's error is relative to, e.g. the sum of a sum's absolute terms. 0: exactly this
    /// Float. Infinity: any number, where comparing all of a large output would take too long
    package var scales: [Double]

    package init(values: [Double], scales: [Double]) {
        self.values = values
        self.scales = scales
    }

    /// Values with at most one rounding, so that every correct implementation gives the same Float.
    package init(exact values: [Double]) {
        self.init(values: values, scales: [Double](repeating: 0, count: values.count))
    }

    /// `count` more elements that must stay poisoned.
    package mutating func appendPoison(_ count: Int) {
        values.append(contentsOf: repeatElement(.nan, count: count))
        scales.append(contentsOf: repeatElement(0, count: count))
    }

    /// The largest error of an output relative to its scales; infinite if poison was overwritten, a number is missing,
    /// or an exact value differs.
    package func error(of output: [Float]) -> Double {
        guard output.count == values.count, scales.count == values.count else { return .infinity }
        var largest = 0.0
        for (got, (value, scale)) in zip(output, zip(values, scales)) {
            if value.isNaN {
                if got.bitPattern != Float.poison.bitPattern { return .infinity }
            } else if scale == 0 {
                if got != Float(value) { return .infinity }
            } else if got.isNaN {
                return .infinity
            } else if scale < .infinity {
                largest = max(largest, abs(Double(got) - value) / scale)
            }
        }
        return largest
    }
}

extension Float {
    /// A NaN that no arithmetic produces: the contents of buffers before an operation writes them.
    static let poison = Float(bitPattern: 0x7fc0_5afe)
    /// u, half the distance from 1 to the next Float: the largest relative error of one rounding
    static let unitRoundoff = 0x1p-24
}

extension [Float] {
    static func poison(_ count: Int) -> [Float] { [Float](repeating: .poison, count: count) }
}

/// Poisoned floats after every output: catches writes past its end, also by a vector of rows.
let margin = 1031
