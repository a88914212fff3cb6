import Images
import Patch

/// The patches that get exact passes besides estimates.
package enum Exact: Sendable, Equatable, CustomStringConvertible {
    /// Every patch
    case all
    /// None
    case none
    /// The patches with the largest absolute mean estimate by the first `--estimate` and `--estimate-of`, and `random`
    /// more, drawn by the seed from the others
    case top(Int, random: Int)

    static let syntax = "all | none | top:K | random:R | top:K,random:R"

    /// nil for text of another form, and if it chooses no patch
    package init?(_ text: String) {
        if text == "all" || text == "none" {
            self = text == "all" ? .all : .none
            return
        }
        var counts: [Substring: Int] = [:]
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let sides = part.split(separator: ":", omittingEmptySubsequences: false)
            guard sides.count == 2, ["top", "random"].contains(sides[0]), counts[sides[0]] == nil,
                sides[1].allSatisfy({ $0.isASCII && $0.isNumber }), let count = Int(sides[1]), count <= 1_000_000_000
            else { return nil }
            counts[sides[0]] = count
        }
        let (top, random) = (counts["top"] ?? 0, counts["random"] ?? 0)
        guard top + random > 0 else { return nil }
        self = .top(top, random: random)
    }

    package var description: String {
        switch self {
        case .all: "all"
        case .none: "none"
        case .top(let count, random: 0): "top:\(count)"
        case .top(0, let random): "random:\(random)"
        case .top(let count, let random): "top:\(count),random:\(random)"
        }
    }

    /// Whether the choice depends on the estimates of all images
    package var isScreened: Bool { if case .top(1..., _) = self { true } else { false } }
}

extension SweepSettings {
    /// Every estimate of the sweep. Patches are screened by the first.
    package var estimation: Estimates { Estimates(methods: estimates, metrics: estimateOf) }
}

extension SweepOptions {
    /// The options of estimates and exact passes; throws for combinations that are not allowed.
    func estimates() throws(SpecError) -> (
        methods: [EstimateMethod], metrics: [EstimateMetric], exact: Exact, exactImages: Int?
    ) {
        let methods = try (written(.estimate) ?? []).map { (item) throws(SpecError) in
            guard let method = EstimateMethod(item.text) else {
                throw item.failure(
                    "\(item.name) \(item.text) is unknown; valid are atp and ig:N with N from \(EstimateMethod.points.lowerBound) to \(EstimateMethod.points.upperBound)"
                )
            }
            return method
        }
        try Self.once(written(.estimate), methods)
        let metrics = try (written(.estimateOf) ?? []).map { (item) throws(SpecError) in
            try item.choice(EstimateMetric.self)
        }
        try Self.once(written(.estimateOf), metrics)
        let exactItem = written(.exact)?.first ?? Written(text: "", name: SweepKey.exact.rawValue)
        guard let exact = Exact(exactItem.text) else { throw exactItem.fail("expected \(Exact.syntax)") }
        let images: Int? = try whole(.exactImages, 1...Int.max, "at least 1")
        if methods.isEmpty {
            if metrics != [.logOdds], let item = written(.estimateOf)?.first {
                throw item.fail("it goes with --estimate")
            }
            if exact != .all { throw exactItem.fail("it goes with --estimate") }
            if let item = written(.exactImages)?.first { throw item.fail("it goes with --estimate") }
        }
        if exact.isScreened, written(.shard) != nil {
            throw exactItem.fail(
                "the patches are chosen by the estimates of all images, so --shard does not go with it; random:R does")
        }
        if exact != .all, try control() > 0 {
            throw exactItem.fail("random places are compared by exact passes, so --control does not go with it")
        }
        let (pairs, orders) = (try pairs(), try shapley())
        if exact != .all, pairs != .none || orders > 0 {
            throw exactItem.fail("--pairs and --shapley compare exact passes of all places, so they do not go with it")
        }
        if exact == .none, let item = written(.exactImages)?.first {
            throw item.fail("--exact none leaves no exact passes")
        }
        return (methods, metrics, exact, images)
    }
}
