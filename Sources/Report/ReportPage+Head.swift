import Results
import Statistics

/// The page's first screen: the question and the settings.
extension ReportPage {
    var head: String {
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
                "Images included", included
            ),
            (
                m.corruptions.count > 1 ? "Corruptions" : "Corruption",
                m.corruptions.map { escaped(ReportWords.corruption($0)) }.joined(separator: "<br>")
            ),
            (
                "Patching",
                unique(m.ownPatches.map(\.direction)).map {
                    escaped(InterventionWords(m, direction: $0).definition)
                }.joined(separator: "<br>")
            ),
            ("Sites", PatchRecord.sites(m.ownPatches).map { escaped(ReportWords.site($0)) }.joined(separator: "<br>")),
            (
                "Patches",
                "\(m.ownPatches.count)"
                    + (windows.isEmpty
                        ? ""
                        : "; windows of \(escaped(ReportWords.list(windows))) \(windows == ["1"] ? "layer" : "layers")")
            ),
            ("Target", escaped(MeasureWords.target(m))), ("Foil", escaped(MeasureWords.foil(m))),
        ]
        if m.control > 0 {
            rows.append(
                (
                    "Control",
                    "\(m.patches.count(where: \.control)) patches at random places, at most \(m.control) for every size that covers several places"
                ))
        }
        rows += EstimateWords.settings(m).map { ($0, escaped($1)) }
        if let pairs = m.pairs {
            let which = pairs.hasPrefix("top:") ? "of the \(pairs.dropFirst(4)) strongest places" : "of all places"
            rows.append(("Pairs", "\(counted(m.pairPatches.count, "pair")) \(which), patched together"))
        }
        if let orders = m.shapley {
            rows.append(("Shapley values", "\(orders) orders, \(m.patches.count { $0.members != nil }) sets of places"))
        }
        for group in groups { rows.append(("Groups", escaped(group))) }
        if m.samples > 1 { rows.append(("Noise draws", "\(m.samples) an image, averaged")) }
        if m.noiseSD == "data" { rows.append(("Noise", "in standard deviations over all images of the data")) }
        if m.partner == "other-class" { rows.append(("Patched-in images", "of another class")) }
        if !m.device.isEmpty {
            rows.append(("Device", escaped("\(m.device)\(m.precision.isEmpty ? "" : ", \(m.precision)")")))
        }
        var links: [String] = []
        func link(_ id: String, _ text: String) { links.append("<a href=\"#\(id)\">\(escaped(text))</a>") }
        if !doses.isEmpty { link("dose", "Dose and response") }
        for section in sections {
            let parts =
                section.parts.filter {
                    !$0.figures.isEmpty || ($0.title == "Random places" && !section.statistics.controls.isEmpty)
                }.map(\.title) + (section.examples == nil ? [] : ["Examples"])
            if doseSpecs.contains(section.statistics.spec) {
                link(fileName(["strength", section.statistics.spec]), section.statistics.spec)
            } else if sections.count == 1 {
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

    /// The number of images included, given once if it is the same for every corruption.
    private var included: String {
        func text(_ item: CorruptionStatistics) -> String {
            "\(item.images) of \(item.seen) seen"
                + (item.isPowered ? ", \(item.exactImages) of them with exact passes" : "")
                + (item.images < item.kept ? ", \(item.kept - item.images) not complete" : "")
        }
        let all = statistics.map(text)
        let counts =
            Set(all).count == 1
            ? all[0] : statistics.map { "\(escaped($0.spec)): \(text($0))" }.joined(separator: "; ")
        return counts
            + " (\(manifest.keep == "all" ? "all are included" : "keep \(escaped(manifest.keep)): \(ReportWords.keep(manifest.keep))"))"
    }

    /// Columns of `--groups`
    private var groups: [String] {
        unique(sections.flatMap(\.groups).map(\.title)).map { $0 }
    }
}
