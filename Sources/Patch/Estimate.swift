/// How a patch's effect is estimated without a patched pass.
package enum EstimateMethod: Hashable, Sendable {
    /// Attribution patching: the gradient in the receiving pass
    case atp
    /// Integrated gradients: the mean gradient at this many points between the receiver's and the source's `embed`
    case ig(Int)

    /// The allowed number of points of `ig`
    package static let points = 1...1000

    /// The spelling in options: `atp`, `ig:5`; nil for anything else, and for a number not in `points`.
    package init?(_ text: String) {
        if text == "atp" {
            self = .atp
            return
        }
        guard text.hasPrefix("ig:"), text.dropFirst(3).allSatisfy({ $0.isASCII && $0.isNumber }),
            let count = Int(text.dropFirst(3)), Self.points.contains(count)
        else { return nil }
        self = .ig(count)
    }

    /// The spelling in column names: `atp`, `ig5`
    package var name: String {
        switch self {
        case .atp: "atp"
        case .ig(let count): "ig\(count)"
        }
    }
}

/// The metric whose change is estimated.
package enum EstimateMetric: String, Sendable, CaseIterable {
    case logOdds = "log_odds"
    case logitDiff = "logit_diff"
    case logit
    case p
}

/// One estimate of every patch: a column of `export`.
package struct Estimate: Hashable, Sendable {
    package var method: EstimateMethod, metric: EstimateMetric

    package init(_ method: EstimateMethod, of metric: EstimateMetric) { (self.method, self.metric) = (method, metric) }

    /// `atp_log_odds`, `ig5_p`
    package var name: String { "\(method.name)_\(metric.rawValue)" }
}
