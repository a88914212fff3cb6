#if canImport(Glibc)
    import Glibc
#else
    import Foundation
#endif

/// An MLP's activation function, with the name in transformers' `hidden_act`. Call it: `gelu(x)`.
package enum ReferenceActivation: String, Sendable, CaseIterable {
    /// x times the standard normal cumulative distribution at x, with the error function
    case gelu
    /// the tanh approximation of GELU (Hendrycks and Gimpel, arXiv:1606.08415)
    case geluNew = "gelu_new"
    /// the sigmoid approximation of GELU: x sigmoid(1.702 x)
    case quickGelu = "quick_gelu"
    case relu
    /// x sigmoid(x)
    case silu
    /// x tanh(ln(1 + e^x)) (Misra, arXiv:1908.08681)
    case mish

    package func callAsFunction(_ x: Double) -> Double {
        switch self {
        case .gelu: 0.5 * x * erfc(-x / 2.0.squareRoot())
        case .geluNew: 0.5 * x * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
        case .quickGelu: x / (1 + exp(-1.702 * x))
        case .relu: max(x, 0)
        case .silu: x / (1 + exp(-x))
        case .mish: x * tanh(log1p(exp(x)))
        }
    }
}
