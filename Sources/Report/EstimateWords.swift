import Results
import Statistics

/// Estimates in words. Estimates are predictions from gradients; the text never calls them effects.
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

    /// The method's definition, for captions
    static func definition(_ name: EstimateName) -> String {
        name.method.hasPrefix("ig")
            ? "the mean gradient over \(counted(Int(name.method.dropFirst(2)) ?? 0, "point")) between the receiving pass's embeddings and the source's"
            : "the gradient in the receiving pass"
    }

    /// Which patches have exact passes in a sweep with estimates: `the 50 with the largest estimates and 30 random
    /// ones`
    static func exact(_ manifest: Manifest) -> String {
        guard let exact = manifest.exact, exact != "all" else { return "all of \(manifest.ownPatches.count) patches" }
        if exact == "none" { return "none of \(manifest.ownPatches.count) patches" }
        let parts = exact.split(separator: ",").compactMap { part -> String? in
            let sides = part.split(separator: ":")
            guard sides.count == 2 else { return nil }
            return sides[0] == "top" ? "the \(sides[1]) with the largest estimates" : "\(sides[1]) random ones"
        }
        return parts.joined(separator: " and ") + " of \(manifest.ownPatches.count) patches"
    }

    /// `r 0.97, rank correlation 0.95, same sign 98%`
    static func agreement(_ agreement: Agreement) -> String {
        agreement.pearson.isFinite
            ? "r \(fixed(agreement.pearson, 2)), rank correlation \(fixed(agreement.spearman, 2)), same sign \(percent(agreement.sameSign))"
            : "too few or too little spread for a correlation, same sign \(percent(agreement.sameSign))"
    }

    /// nil where the estimate can be trusted, or there is nothing to judge it by
    static func warning(_ screening: Screening) -> String? {
        let r = screening.all.pearson, what = "\(title(screening.name)) and exact effects correlate at r = "
        if r < Screening.trusted {
            return what
                + "\(fixed(r, 2)) over the patches with exact passes, below \(Screening.trusted): do not rank places by it"
        }
        let sites = screening.mistrusted
        if sites.isEmpty { return nil }
        let several = unique(screening.groups.map(\.direction)).count > 1
        let names = sites.map {
            "\(fixed($0.agreement.pearson, 2)) over places of \($0.site)" + (several ? " (\($0.direction))" : "")
        }
        return what + names.joined(separator: ", ") + ", below \(Screening.trusted): do not rank these by it"
    }

    /// Bounds on the effects of patches without exact passes, as sentences
    static func missed(_ missed: Screening.Missed, metric: String) -> [String] {
        let digits = decimals(for: [missed.largest, missed.threshold])
        let of = Double(max(1, missed.screened))
        func most(_ count: Int) -> String {
            "with \(fixed(100 * missed.confidence, 0))% confidence at most \(count) (\(percent(Double(count) / of))) of the "
                + "\(missed.screened)"
        }
        let patches = missed.screened == 1 ? "patch" : "patches"
        var sentences = [
            "\(missed.sampled) of the \(missed.screened) \(patches) that the estimates did not choose "
                + "\(missed.sampled == 1 ? "was" : "were") drawn at random and measured; the largest mean effect on "
                + "\(metric) among them is \(fixed(missed.largest, digits)) in size; \(most(missed.beyondLargest)) exceed it."
        ]
        if missed.shown > 0 {
            sentences.append(
                "\(missed.beyond == 0 ? "None" : "\(missed.beyond)") of the \(missed.sampled) exceed\(missed.beyond < 2 ? "s" : "") "
                    + "the smallest effect of the \(missed.shown) strongest chosen patches "
                    + "(\(fixed(missed.threshold, digits))); \(most(missed.atMost)) do."
            )
        }
        return sentences
    }

    /// What estimates save in exact passes, in one line
    static func savings(_ savings: Savings, corruption: String) -> String {
        let metric = savings.metric == .p ? "p" : savings.metric == .logOdds ? "log-odds" : "logit difference"
        let how = "estimates correlate with effects on \(metric) over images at \(fixed(savings.correlation, 2))"
        let worth = Int(savings.worth.rounded())
        if savings.varianceRatio > 0.9, !savings.isUsed {
            return "--exact-images would have saved little: \(how)"
        }
        return savings.isUsed
            ? "\(savings.exactImages) images with exact passes and the estimates of \(savings.images) are worth \(worth) with exact passes (variance \(fixed(savings.varianceRatio, 2)) of the plain mean's; \(how))"
            : "with --exact-images \(savings.exactImages) the mean effects would have been as precise as from \(worth) of the \(savings.images) images (\(how))"
    }

    // MARK: - On the page

    /// Rows of the settings
    static func settings(_ manifest: Manifest) -> [(String, String)] {
        guard !manifest.estimates.isEmpty else { return [] }
        let names = manifest.estimates.map { title(EstimateName($0)) }
        let images = manifest.exactImages.map { ", on \($0) images drawn at random" } ?? ""
        return [("Estimates", ReportWords.list(names)), ("Exact passes", exact(manifest) + images)]
    }

    /// Sentences on prediction-powered means
    static func powered(_ statistics: CorruptionStatistics, _ savings: Savings) -> String {
        "Mean effects are prediction-powered: measured on \(statistics.exactImages) of the \(statistics.images) images and corrected by the estimates of all. "
            + "Of the ten strongest places, estimates and effects correlate over images at \(number(savings.correlation, 2)) (median), and the variance of the mean is "
            + "\(number(savings.varianceRatio, 2)) of the plain mean's: as precise as \(Int(savings.worth.rounded())) images with exact passes."
    }

    /// Paragraphs on the method; empty if nothing is estimated
    static func method(_ manifest: Manifest, _ statistics: [CorruptionStatistics]) -> String {
        guard !manifest.estimates.isEmpty else { return "" }
        let powered =
            manifest.exactImages == nil
            ? ""
            : """
            <p><b>Prediction-powered means</b> (Angelopoulos et al. 2023; weight tuned as in PPI++, 2024) are the mean \
            effect on the images with exact passes, plus a weight times the difference of the mean estimate over all \
            images and over these: unbiased whatever the estimates are worth. Intervals resample the images with exact \
            passes, the weight tuned anew, and the mean over the others. Medians, shares of positive images, \
            accuracies and p-values are of the images with exact passes.</p>
            """
        return """
            <p><b>Estimates</b> are gradients of a metric, times the difference between the patched-in and the \
            receiving pass's activations, summed over the place (attribution patching, Nanda 2023; for queries and \
            keys the softmax is computed anew, Kramár et al. 2024; several points on the way make integrated \
            gradients, Sundararajan et al. 2017). The estimate of p is derived from that of log-odds. Their intervals \
            are Student’s t over images. Bounds on what was missed are exact (hypergeometric), from the random patches \
            alone.</p>\(powered)
            """
    }

    static let sources = """
        <li>A. N. Angelopoulos et al. Prediction-powered inference. Science 382, 2023. PPI++: Efficient prediction-powered inference. 2024.</li>
        <li>J. Kramár et al. AtP*: An efficient and scalable method for localizing LLM behaviour to components. 2024.</li>
        <li>N. Nanda. Attribution patching: Activation patching at industrial scale. 2023.</li>
        <li>M. Sundararajan, A. Taly, Q. Yan. Axiomatic attribution for deep networks. ICML 2017.</li>
        """
}
