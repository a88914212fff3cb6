import Results
import Statistics

/// The page's section on methods and sources.
extension ReportPage {
    private var controlMethod: String {
        guard manifest.control > 0 else { return "" }
        return """

            <p><b>Random places</b> of a patch's extent come from moving it by a random order of the network's layers, \
            of its heads, of the image patches and of the neurons, drawn from seed \(manifest.seed) and the extent; \
            none is drawn twice, and none is a patch of the sweep. Their mean's interval is over images, the places as \
            drawn. The 95th percentile is the ⌈0.95 (N + 1)⌉-th smallest of their N mean effects, which needs at least \
            19 places, and the p-value against them is one-sided (Phipson and Smyth 2010); where the clean pass is \
            patched, both use the lower tail. The p-value against their maximum is the chance that the largest of as \
            many exchangeable places as the sweep has patches of that extent goes as far; it assumes that windows are \
            exchangeable with random places. Differences from their mean are paired over images.</p>
            """
    }

    private var interactionMethod: String {
        var text = ""
        if manifest.pairs != nil {
            text +=
                "<p><b>Interactions</b> of two places are the effect of patching both less the sum of the effects of patching each, image by "
                + "image. Adjusted p-values are held over all pairs of one corruption and direction.</p>"
        }
        if manifest.shapley != nil {
            text +=
                "<p><b>Shapley values</b> (Shapley 1953) are a place’s mean gain over orders in which the places are patched one after the other "
                + "(Castro et al. 2009), each order also run backwards (Mitchell et al. 2022), drawn from seed \(manifest.seed).</p>"
        }
        return text
    }

    /// Defines the total effect and shares of it; empty without a corrupted pass
    private var shares: String {
        guard manifest.corruptions.contains(where: { $0 != "none" }) else { return "" }
        let total = "The <b>total effect</b> is the clean pass minus the corrupted one. "
        let words = unique(manifest.ownPatches.map(\.direction)).map { InterventionWords(manifest, direction: $0) }
        guard words.contains(where: \.intervention.exchangesPasses) else {
            return total + escaped(words.first?.sharesNote ?? "") + " "
        }
        return total
            + "The <b>recovered share</b> is mean effect / mean total effect, the total taken in the patch’s own direction, so that 1 "
            + "means that the patch alone has the whole total effect. "
    }

    var method: String {
        let m = manifest
        let receivers = ReportWords.list(
            unique(m.ownPatches.map(\.direction)).map { direction in
                let words = InterventionWords(m, direction: direction)
                return "\(words.receiver) for \(words.name)"
            })
        return """
            <section id="method"><h2>Method</h2>
            <p>An <b>effect</b> is a metric of the patched pass minus the same metric of the pass that is patched \
            into: \(escaped(receivers)). \(shares)The strongest place is chosen by the images that measure it, so its \
            effect is likely to be somewhat smaller on others; the split-half figures show by how much. p is the \
            softmax probability of the target; log-odds are log(p / (1 − p)), the target’s logit less the log-sum-exp \
            of all others, which needs no foil and does not saturate; the logit difference is logit[target] − \
            logit[foil]; KL is KL(clean ‖ pass) in nats. The terms follow Vig et al. (2020) and Meng et al. (2022), \
            denoising and noising Zhang and Nanda (2024); a window of w layers centred on l is [l − ⌊w/2⌋, l + ⌈w/2⌉) \
            cut to the network (Meng et al.).</p>
            <p><b>Intervals</b> are 95% BCa bootstrap intervals over images (Efron 1987), \(bootstrap.resamples) \
            resamples from seed \(bootstrap.seed), widened for few images as Hesterberg (2015) advises, none below \
            \(fewestImages) images; all patches see the same resamples, so they are paired. They are not adjusted for \
            multiple places. Those of recovered shares resample effect and total effect together. <b>Adjusted \
            p-values</b> are of the mean effect on p, two-sided: maximum statistics under shared random signs \
            (Westfall and Young 1993, step-down), \(SignFlips(seed: 0).draws) draws or all patterns of signs where \
            those are fewer, held over all patches of one corruption and direction. They assume effects symmetric \
            around 0 where a patch does nothing, and reject too often where effects are skewed or few images carry \
            them. A p-value that is as small as the draws allow is written as a bound. Patches that recover everything \
            or nothing by construction are not tested and never the strongest. Colours of signed values are symmetric \
            around 0 and evenly spaced in Oklab.</p>\(controlMethod)\(EstimateWords.method(m, statistics))
            \(interactionMethod)<p><b>To cite:</b> vitpatch \(escaped(m.version)); model \
            \(escaped(ReportWords.name(m.model))), sha256 <span class="mono">\(escaped(m.modelHash))</span>; data \
            \(escaped(ReportWords.name(m.data))), fingerprint <span class="mono">\(escaped(m.dataHash))</span>; seed \
            \(m.seed)\
            \(m.device.isEmpty ? "" : "; \(escaped(m.device))\(m.driver.isEmpty ? "" : ", driver \(escaped(m.driver))"), \(escaped(m.precision)), GEMM \(escaped(m.gemm))").</p>
            <pre>\(escaped(bibTeX))</pre>
            <p>Run it again:</p><pre>\(escaped(m.command))</pre>
            <ul class="note">
            \(m.estimates.isEmpty ? "" : EstimateWords.sources)
            \(manifest.shapley == nil ? "" : "<li>J. Castro, D. Gómez, J. Tejada. Polynomial calculation of the Shapley value based on sampling. Computers &amp; Operations Research 36, 2009.</li>")
            <li>B. Efron. Better bootstrap confidence intervals. JASA 82, 1987.</li>
            <li>T. Hesterberg. What teachers should know about the bootstrap. The American Statistician 69, 2015.</li>
            <li>K. Meng et al. Locating and editing factual associations in GPT. NeurIPS 2022.</li>
            \(manifest.shapley == nil ? "" : "<li>R. Mitchell, J. Cooper, E. Frank, G. Holmes. Sampling permutations for Shapley value estimation. JMLR 23, 2022.</li>")
            \(m.control > 0 ? "<li>B. Phipson, G. K. Smyth. Permutation p-values should never be zero. SAGMB 9, 2010.</li>" : "")
            \(manifest.shapley == nil ? "" : "<li>L. S. Shapley. A value for n-person games. Contributions to the Theory of Games II, 1953.</li>")
            <li>J. Vig et al. Investigating gender bias in language models using causal mediation analysis. NeurIPS 2020.</li>
            <li>P. H. Westfall, S. S. Young. Resampling-based multiple testing. Wiley, 1993.</li>
            <li>F. Zhang, N. Nanda. Towards best practices of activation patching in language models. ICLR 2024.</li>
            </ul></section>
            """
    }

    /// An entry for the program; the sentence above it identifies the sweep.
    private var bibTeX: String {
        """
        @software{vitpatch,
          title = {vitpatch: activation patching in Vision Transformers},
          author = {{The vitpatch contributors}},
          version = {\(manifest.version)},
          year = {\(manifest.started.prefix(4))}
        }
        """
    }
}
