import Results

/// A metric of a pass.
package enum Metric: Int, CaseIterable, Sendable {
    /// The target's probability
    case p
    /// logit[target] - logsumexp(the other logits): needs no foil, and does not saturate where p does
    case logOdds
    /// logit[target] - logit[foil]
    case logitDiff
    /// KL(clean || pass), nats
    case kl

    package func callAsFunction(_ pass: PassMetrics) -> Double {
        switch self {
        case .p: Double(pass.p)
        case .logOdds: Double(pass.logOdds)
        case .logitDiff: Double(pass.logitDiff)
        case .kl: Double(pass.kl)
        }
    }

    /// metric(a) - metric(b) for every metric, in their order; nan where a store does not have one
    package static func differences(_ a: PassMetrics, _ b: PassMetrics) -> [Double] {
        allCases.map { $0(a) - $0(b) }
    }
}
