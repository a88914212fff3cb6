import Foundation
import Results

/// The report as HTML and as figures.
struct ReportPage {
    /// Pages stay below this many bytes.
    static let mostBytes = 5_000_000

    let manifest: Manifest
    let statistics: [CorruptionStatistics]
    let isFinished: Bool
    let bootstrap: Bootstrap
    let sections: [Section]
    let doses: [Figure]

    /// What one corruption shows.
    struct Section {
        var statistics: CorruptionStatistics
        var layers, windows, heads, tokens, places, controls, measures, classes: [Figure]
        var examples: Examples?

        var figures: [Figure] { layers + windows + heads + tokens + places + controls + measures + classes }
    }

    init(store: ResultsStore, images: ExampleImages?, bootstrap: Bootstrap? = nil) throws {
        let bootstrap = bootstrap ?? Bootstrap(seed: store.manifest.seed)
        let statistics = try Report.statistics(of: store, bootstrap: bootstrap)
        manifest = store.manifest
        self.statistics = statistics
        self.bootstrap = bootstrap
        isFinished = try store.isFinished()
        doses = DoseSeries.all(statistics).flatMap(\.figures)
        var room = Self.mostBytes / 2
        sections = try statistics.filter { $0.images > 0 }.map { item in
            let figures = EffectFigures(item, tag: statistics.count > 1 ? item.spec : "")
            let perImage = try PerImage(store: store, corruption: item.corruption, bootstrap: bootstrap)
            let examples = try Examples(
                figures, perImage, images, classNames: store.manifest.classNames, room: &room)
            return Section(
                statistics: item, layers: figures.layers(), windows: try figures.windowSums(perImage),
                heads: figures.heads(), tokens: figures.tokens(), places: figures.strongestPlaces(),
                controls: figures.controls(),
                measures: figures.measures(), classes: try figures.classes(perImage, names: store.manifest.classNames),
                examples: examples)
        }
    }

    var figures: [Figure] { sections.flatMap(\.figures) + doses }

    // MARK: - The page

    /// The page, with as much of the tables as keeps it below `mostBytes`.
    func html() -> String {
        for rows in [1000, 200, 40, 0] {
            let page = html(rows: rows, figures: .max)
            if page.utf8.count < Self.mostBytes { return page }
        }
        var figures = self.figures.count
        while figures > 1 {
            figures /= 2
            let page = html(rows: 0, figures: figures)
            if page.utf8.count < Self.mostBytes { return page }
        }
        return html(rows: 0, figures: 0)
    }

    private func html(rows: Int, figures limit: Int) -> String {
        var shown = 0
        func figures(_ list: [Figure]) -> String {
            list.map { figure in
                shown += 1
                return shown <= limit
                    ? figure.html(rows: rows)
                    : "<p class=\"note\">\(escaped(figure.title)): figures/\(escaped(figure.name)).svg</p>\n"
            }.joined()
        }
        let body = sections.map { section -> String in
            let spec = section.statistics.spec
            var out = ""
            func part(_ title: String, _ content: String, note: String = "") {
                guard !content.isEmpty else { return }
                let name = sections.count > 1 ? "\(title): \(spec)" : title
                out +=
                    "<section id=\"\(fileName([title, sections.count > 1 ? spec : ""]))\"><h2>\(escaped(name))</h2>"
                    + (note.isEmpty ? "" : "<p>\(escaped(note))</p>") + content + "</section>\n"
            }
            part("Layers", figures(section.layers))
            part("Windows", figures(section.windows))
            part("Heads", figures(section.heads))
            part("Tokens", figures(section.tokens))
            part("Places", figures(section.places))
            part("Random places", controlHTML(section.statistics) + figures(section.controls))
            part("Measures", figures(section.measures))
            part("Classes", figures(section.classes))
            part("Examples", section.examples?.html ?? "")
            return out
        }.joined()
        let dose = doses.isEmpty ? "" : "<section id=\"dose\"><h2>Dose and response</h2>\(figures(doses))</section>\n"
        return """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1"><meta name="generator" content="vitpatch \(escaped(manifest.version))">
            <link rel="icon" href="data:,"><title>\(escaped(title))</title>
            <style>\(FigureStyle.pageSheet)\(ReportStyle.sheet)</style></head>
            <body><main>
            \(head)
            \(headline)
            \(dose)\(body)\(method)
            </main><script>\(ReportStyle.script)</script></body></html>

            """
    }

    private var title: String {
        "Activation patching of \(ReportWords.name(manifest.model)): \(ReportWords.list(manifest.corruptions))"
    }

    private var head: String {
        let m = manifest
        func hash(_ name: String, _ hash: String) -> String {
            "\(escaped(name))"
                + (hash.isEmpty ? "" : " <span class=\"note mono\">\(escaped(String(hash.prefix(12))))</span>")
        }
        var range = m.limit.map { "at most \(counted($0, "image"))" } ?? "all images"
        if m.offset > 0 { range += " after the first \(m.offset)" }
        if let shard = m.shard { range += ", shard \(shard)" }
        let windows = unique(m.ownPatches.map(\.window)).filter { !$0.isEmpty }
        var rows: [(String, String)] = [("Model", hash(m.model, m.modelHash))]
        if let donor = m.donor { rows.append(("Donor", hash(donor, m.donorHash ?? ""))) }
        rows += [
            ("Data", "\(hash(m.data, m.dataHash)); \(range)"),
            (
                "Images that count",
                statistics.map { item in
                    (statistics.count > 1 ? "\(escaped(item.spec)): " : "")
                        + "\(item.images) of \(item.seen) seen"
                        + (item.images < item.kept ? ", \(item.kept - item.images) not complete" : "")
                }.joined(separator: "; ")
                    + " (\(m.keep == "all" ? "all count" : "keep \(escaped(m.keep)): \(ReportWords.keep(m.keep))"))"
            ),
            (
                m.corruptions.count > 1 ? "Corruptions" : "Corruption",
                m.corruptions.map { escaped(ReportWords.corruption($0)) }.joined(separator: "<br>")
            ),
            (
                "Direction",
                unique(m.ownPatches.map(\.direction)).map { escaped(ReportWords.direction($0)) }.joined(
                    separator: "<br>")
            ),
            ("Sites", unique(m.ownPatches.map(\.site)).map { escaped(ReportWords.site($0)) }.joined(separator: "<br>")),
            (
                "Patches",
                "\(m.ownPatches.count)"
                    + (windows.isEmpty
                        ? ""
                        : "; windows of \(escaped(ReportWords.list(windows))) \(windows == ["1"] ? "layer" : "layers")")
            ),
            ("Target", m.target == "clean" ? "the class the clean pass predicts" : "the image's label"),
        ]
        if m.control > 0 {
            rows.append(
                (
                    "Control",
                    "\(m.patches.count - m.ownPatches.count) patches at random places, at most \(m.control) for every size that covers several places"
                ))
        }
        if m.samples > 1 { rows.append(("Noise draws", "\(m.samples) an image, averaged")) }
        if !m.device.isEmpty {
            rows.append(("Device", escaped("\(m.device)\(m.precision.isEmpty ? "" : ", \(m.precision)")")))
        }
        var links: [String] = []
        func link(_ id: String, _ text: String) { links.append("<a href=\"#\(id)\">\(escaped(text))</a>") }
        if !doses.isEmpty { link("dose", "Dose and response") }
        for section in sections {
            let parts = [
                ("Layers", !section.layers.isEmpty), ("Windows", !section.windows.isEmpty),
                ("Heads", !section.heads.isEmpty),
                ("Tokens", !section.tokens.isEmpty), ("Places", !section.places.isEmpty),
                ("Random places", !section.statistics.controls.isEmpty),
                ("Measures", !section.measures.isEmpty), ("Classes", !section.classes.isEmpty),
                ("Examples", section.examples != nil),
            ].filter(\.1).map(\.0)
            if sections.count == 1 {
                for part in parts { link(fileName([part]), part) }
            } else if let first = parts.first {
                link(fileName([first, section.statistics.spec]), section.statistics.spec)
            }
        }
        links.append("<a href=\"#method\">Method</a>")
        return """
            <header><p class="kicker">vitpatch \(escaped(m.version)) · \(escaped(String(m.started.prefix(10))))\(isFinished ? "" : " · not finished")</p>
            <h1>\(escaped(title))</h1><p class="lead">\(escaped(ReportWords.question(m)))</p></header>
            <nav>\(links.joined())</nav>
            <section><h2>Settings</h2><dl>\(rows.map { "<dt>\($0.0)</dt><dd>\($0.1)</dd>" }.joined())</dl></section>
            """
    }

    private var headline: String {
        guard !sections.isEmpty else {
            return "<section><h2>Result</h2><p>No image is complete yet, so there is nothing to show.</p></section>"
        }
        var out = "<section id=\"result\"><h2>Result</h2>"
        if sections.count == 1 {
            let s = sections[0].statistics
            var cards = [
                ("\(s.images)", s.images == 1 ? "image" : "images"), (shareText(s.accuracyClean), "accuracy, clean"),
                (shareText(s.accuracyCorrupted), "accuracy, corrupted"), (number(s.meanPClean, 3), "mean p, clean"),
                (number(s.meanPCorrupted, 3), "mean p, corrupted"),
                (plus(s.totalP.mean, 3), "total effect on p [\(plus(s.totalP.low, 3)), \(plus(s.totalP.high, 3))]"),
            ]
            for direction in unique(s.patches.map(\.record.direction)) {
                if let best = strongest(s, direction) {
                    let share = recovered(best, s).map { "; \($0) of the total" } ?? ""
                    cards.append(
                        (
                            plus(best.p.mean, 3),
                            "strongest: \(best.record.text) [\(plus(best.p.low, 3)), \(plus(best.p.high, 3))]\(share)"
                        ))
                }
            }
            out +=
                "<div class=\"cards\">"
                + cards.map { "<div><b>\(escaped($0.0))</b><span>\(escaped($0.1))</span></div>" }.joined() + "</div>"
        } else {
            let table = Table(
                columns: [
                    "corruption", "accuracy clean", "accuracy corrupted", "p clean", "p corrupted", "total effect",
                    "strongest patch", "its effect", "recovered",
                ],
                rows: sections.map { section in
                    let s = section.statistics
                    let best = strongest(s, nil)
                    return [
                        s.spec, shareText(s.accuracyClean), shareText(s.accuracyCorrupted),
                        number(s.meanPClean, 3), number(s.meanPCorrupted, 3), withInterval(s.totalP, 3),
                        best?.record.text ?? "–", best.map { withInterval($0.p, 3) } ?? "–",
                        best.flatMap { recovered($0, s) == nil ? nil : shareText($0.p.recovered) } ?? "–",
                    ]
                })
            out += table.html()
        }
        return out + sections.map { "<p>\(escaped(sentence($0.statistics)))</p>" }.joined() + "</section>"
    }

    private func strongest(_ s: CorruptionStatistics, _ direction: String?) -> PatchStatistics? {
        s.patches.filter { $0.p.mean.isFinite && (direction == nil || $0.record.direction == direction) }
            .max { abs($0.p.mean) < abs($1.p.mean) }
    }

    /// The strongest of the patches that have random places beside them.
    private func strongestLarge(_ s: CorruptionStatistics, _ direction: String) -> (PatchStatistics, ControlComparison)?
    {
        let best = s.patches.filter {
            $0.p.mean.isFinite && $0.record.direction == direction && $0.control?.isDrawn == true
        }
        .max { abs($0.p.mean) < abs($1.p.mean) }
        return best.flatMap { patch in patch.control.map { (patch, $0) } }
    }

    /// nil where the total effect may well be zero: a share of it says nothing.
    private func recovered(_ patch: PatchStatistics, _ s: CorruptionStatistics) -> String? {
        guard patch.p.recovered.isFinite, s.totalP.excludesZero else { return nil }
        return
            "\(shareText(patch.p.recovered)) [\(shareText(patch.p.recoveredLow)), \(shareText(patch.p.recoveredHigh))]"
    }

    /// What random places do, in words and as a table.
    private func controlHTML(_ s: CorruptionStatistics) -> String {
        guard let table = s.controlTable else { return "" }
        return """
            <p>A patch of several places can have an effect because it is large, wherever it is. So it stands beside random places of \
            its extent. “Patches above” counts those beyond the 95th percentile of random places, or what comes to the same, with a \
            p-value of at most 0.05: (1 + random places with an effect as large) / (1 + random places). A single place has all \
            others of its extent in the sweep beside it.</p>\(table.html())
            """
    }

    /// The numbers to cite.
    private func sentence(_ s: CorruptionStatistics) -> String {
        var text =
            "Over \(counted(s.images, "image")), \(s.spec) takes the accuracy from \(shareText(s.accuracyClean)) to "
            + "\(shareText(s.accuracyCorrupted)) and the mean probability of the target from \(number(s.meanPClean, 3)) to "
            + "\(number(s.meanPCorrupted, 3)): a total effect of \(withInterval(s.totalP, 3))."
        for direction in unique(s.patches.map(\.record.direction)) {
            guard let best = strongest(s, direction) else { continue }
            let family = s.patches.filter {
                $0.record.direction == direction && $0.record.site == best.record.site
                    && $0.record.window == best.record.window
            }.count
            let share = recovered(best, s).map { ", \($0) of the total effect" } ?? ""
            text +=
                " The strongest \(direction == "noise" ? "noising" : "restoring") patch is \(best.record.text): "
                + "\(withInterval(best.p, 3))\(share), positive on \(shareText(best.p.sharePositive)) of the images, "
                + "p-value (Holm over \(family)) \(best.pHolm < 0.001 ? "" : "= ")\(pText(best.pHolm))."
            if let (large, control) = strongestLarge(s, direction) {
                text +=
                    large.patch == best.patch
                    ? " Beside it, "
                    : " Of patches that cover several places the strongest is \(large.record.text): \(withInterval(large.p, 3)), where "
                text +=
                    "\(control.places) random places of \(large.record.extent) have \(plus(control.mean, 3)) on average; paired "
                    + "difference \(withInterval(control.difference, 3)), p-value against them \(control.pValue < 0.001 ? "" : "= ")"
                    + "\(pText(control.pValue))."
            }
        }
        return text
    }

    private var controlMethod: String {
        guard manifest.control > 0 else { return "" }
        return """

            <p><b>Random places</b> of a patch's extent come from moving it by a random order of the network's layers, of its heads, of \
            the image patches and of the neurons, drawn from seed \(manifest.seed) and the extent; none is drawn twice, and none that \
            the sweep has. Their mean's interval is over images, the places as drawn. The 95th percentile is the \
            ⌈0.95 (N + 1)⌉-th smallest of their N mean effects, which takes 19 places, and the p-value against them is one-sided \
            (Phipson and Smyth 2010); with direction noise both look at the other end. Differences from their mean are paired over images.</p>
            """
    }

    private var method: String {
        let m = manifest
        return """
            <section id="method"><h2>Method</h2>
            <p>An <b>effect</b> is a metric of the patched pass minus the same metric of the pass that is patched into: the corrupted \
            pass for restore, the clean one for noise. The <b>total effect</b> is the clean pass minus the corrupted one. \
            The <b>recovered share</b> is mean effect / mean total effect, the total taken in the patch's own direction, so that 1 \
            is a patch that alone does what exchanging the passes does. The strongest patch is chosen by the images that measure \
            it, so its effect is likely to be somewhat smaller on others. p is the softmax probability of the target; \
            the logit difference is logit[target] − logit[foil], the foil the most likely other class in the corrupted pass; \
            KL is KL(clean ‖ pass) in nats. The terms follow Vig et al. (2020) and Meng et al. (2022); a window of w layers centred on l is \
            [l − ⌊w/2⌋, l + ⌈w/2⌉) cut to the network (Meng et al.).</p>
            <p><b>Intervals</b> are 95% BCa bootstrap intervals of the mean over images (Efron 1987), \(bootstrap.resamples) resamples from seed \
            \(bootstrap.seed), widened for few images as Hesterberg (2015) advises; all patches see the same resamples, so they are paired. \
            They hold one place at a time. Those of recovered shares resample effect and total effect together. \
            <b>p-value (Holm)</b> is of the mean effect on p, two-sided, from sign-flip permutation, corrected (Holm 1979) over the \
            patches of one corruption, direction, site and window; the number of permutations bounds it from below: 0.005 is the \
            least for a family of 100 to 1000. Colours of signed values are symmetric \
            around 0 and evenly spaced in Oklab.</p>\(controlMethod)
            <p><b>To cite:</b> vitpatch \(escaped(m.version)); model \(escaped(ReportWords.name(m.model))), sha256 <span class="mono">\(escaped(m.modelHash))</span>; \
            data \(escaped(ReportWords.name(m.data))), fingerprint <span class="mono">\(escaped(m.dataHash))</span>; seed \(m.seed)\
            \(m.device.isEmpty ? "" : "; \(escaped(m.device))\(m.driver.isEmpty ? "" : ", driver \(escaped(m.driver))"), \(escaped(m.precision)), GEMM \(escaped(m.gemm))").</p>
            <p>Run it again:</p><pre>\(escaped(m.command))</pre>
            <ul class="note">
            <li>B. Efron. Better bootstrap confidence intervals. JASA 82, 1987.</li>
            <li>T. Hesterberg. What teachers should know about the bootstrap. The American Statistician 69, 2015.</li>
            <li>S. Holm. A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6, 1979.</li>
            <li>K. Meng et al. Locating and editing factual associations in GPT. NeurIPS 2022.</li>
            \(m.control > 0 ? "<li>B. Phipson, G. K. Smyth. Permutation p-values should never be zero. SAGMB 9, 2010.</li>" : "")
            <li>J. Vig et al. Investigating gender bias in language models using causal mediation analysis. NeurIPS 2020.</li>
            <li>F. Zhang, N. Nanda. Towards best practices of activation patching in language models. ICLR 2024.</li>
            </ul></section>
            """
    }
}
