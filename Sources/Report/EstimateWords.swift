import Results
import Statistics

/// Estimates in words. They say what gradients foretell, and never stand under the word effect.
enum EstimateWords {
    static func metric(_ name: EstimateName) -> String {
        switch name.metric {
        case "log_odds": "log-odds"
        case "logit_diff": "logit difference"
        default: name.metric
        }
    }

    /// `atp`, `ig with 5 points`
    static func method(_ name: EstimateName) -> String {
        name.method.hasPrefix("ig") ? "ig with \(counted(Int(name.method.dropFirst(2)) ?? 0, "point"))" : name.method
    }

    /// `atp of log-odds`
    static func title(_ name: EstimateName) -> String { "\(method(name)) of \(metric(name))" }

    /// What the method is, for captions
    static func definition(_ name: EstimateName) -> String {
        name.method.hasPrefix("ig")
            ? "the mean gradient over \(counted(Int(name.method.dropFirst(2)) ?? 0, "point")) between the receiving pass's embeddings and the source's"
            : "the gradient in the receiving pass"
    }

    /// Which patches have exact passes, of a sweep with estimates: `the 50 with the largest estimates and 30 random ones`
    static func exact(_ manifest: Manifest) -> String {
        guard let exact = manifest.exact, exact != "all" else { return "all \(manifest.ownPatches.count) patches" }
        if exact == "none" { return "none of \(manifest.ownPatches.count) patches" }
        let parts = exact.split(separator: ",").compactMap { part -> String? in
            let sides = part.split(separator: ":")
            guard sides.count == 2 else { return nil }
            return sides[0] == "top" ? "the \(sides[1]) with the largest estimates" : "\(sides[1]) random ones"
        }
        return parts.joined(separator: " and ") + " of \(manifest.ownPatches.count) patches"
    }

    /// `r 0.97, rank 0.95, one sign 98%`
    static func agreement(_ agreement: Agreement) -> String {
        "r \(fixed(agreement.pearson, 2)), rank correlation \(fixed(agreement.spearman, 2)), one sign \(percent(agreement.sameSign))"
    }

    /// nil where the estimate can be trusted, or nothing tells
    static func warning(_ screening: Screening) -> String? {
        let r = screening.all.pearson
        guard r.isFinite, !screening.isTrusted else { return nil }
        return
            "\(title(screening.name)) and exact effects correlate at r = \(fixed(r, 2)) over the patches with exact passes, below \(Screening.trusted): do not rank places by it"
    }

    /// What patches without exact passes may hide, as sentences
    static func missed(_ missed: Screening.Missed, metric: String) -> [String] {
        let digits = decimals(for: [missed.largest, missed.threshold])
        let of = Double(max(1, missed.screened))
        func most(_ count: Int) -> String { "at most \(count) (\(percent(Double(count) / of))) do" }
        let confidence = "with \(fixed(100 * missed.confidence, 0))% confidence"
        var sentences = [
            "Of \(counted(missed.screened, "patch").replacing("patchs", with: "patches")) that the estimates did not choose, \(missed.sampled) random ones have exact passes: "
                + "their largest mean effect on \(metric) is \(fixed(missed.largest, digits)) in size, and \(confidence) \(most(missed.beyondLargest)) more."
        ]
        if missed.shown > 0 {
            sentences.append(
                "Beyond the smallest of the \(missed.shown) strongest chosen ones (\(fixed(missed.threshold, digits))) \(missed.beyond == 1 ? "goes" : "go") \(missed.beyond == 0 ? "none" : "\(missed.beyond)") of them; \(confidence) \(most(missed.atMost))."
            )
        }
        return sentences
    }

    /// What estimates save, in one line
    static func savings(_ savings: Savings, corruption: String) -> String {
        let metric = savings.metric == .p ? "p" : savings.metric == .logOdds ? "log-odds" : "logit difference"
        let how = "estimates correlate with effects on \(metric) over images at \(fixed(savings.correlation, 2))"
        let worth = Int(savings.worth.rounded())
        return savings.isUsed
            ? "\(savings.exactImages) images with exact passes and the estimates of \(savings.images) are worth \(worth) with exact passes (variance \(fixed(savings.varianceRatio, 2)) of the plain mean's; \(how))"
            : "with --exact-images \(savings.exactImages) the mean effects would have been as sure as from \(worth) of the \(savings.images) images (\(how))"
    }
}
