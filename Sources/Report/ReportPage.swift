import Foundation
import Results
import Statistics

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
    /// Corruptions that are doses of one kind: their dose figures come first, their other figures are folded.
    let doseSpecs: Set<String>
    /// The images that cells of heat maps open; nil: none
    let cells: CellImages?

    /// The figures of one corruption.
    struct Section {
        var statistics: CorruptionStatistics
        var layers, windows, heads, tokens, places, directions, interactions, controls, metrics, classes,
            groups: [Figure]
        var examples: Examples?
        var estimates: EstimateFigures?

        /// Headings and the figures below them, in the page's order
        var parts: [(title: String, figures: [Figure])] {
            [
                ("Layers", layers), ("Windows", windows), ("Heads", heads), ("Tokens", tokens), ("Places", places),
                ("Both directions", directions), ("Interactions", interactions),
                ("Random places", controls), ("Estimates", estimates?.figures ?? []), ("Metrics", metrics),
                ("Classes", classes),
                ("Groups", groups),
            ]
        }
        var figures: [Figure] { parts.flatMap(\.figures) }
    }

    init(
        store: ResultsStore, images: ExampleImages?, cellImages: Int = 0, thumbnails: Thumbnails? = nil,
        bootstrap: Bootstrap? = nil
    ) throws {
        let bootstrap = bootstrap ?? Bootstrap(seed: store.manifest.seed)
        let statistics = try Statistics.statistics(of: store, bootstrap: bootstrap)
        manifest = store.manifest
        self.statistics = statistics
        self.bootstrap = bootstrap
        isFinished = try store.isFinished()
        let series = DoseSeries.all(statistics, store.manifest).map { series in
            var series = series
            series.cellsOpen = cellImages > 0
            return series
        }
        doses = series.flatMap(\.figures)
        doseSpecs = Set(series.flatMap(\.doses).map(\.statistics.spec))
        let interactions = try Statistics.interactions(of: store, bootstrap: bootstrap)
        let groups = try store.groups().map { try groupStatistics(of: store, by: $0, bootstrap: bootstrap) }
        var room = Self.mostBytes / 2
        sections = try statistics.filter { $0.images > 0 }.map { item in
            let figures = EffectFigures(
                item, store.manifest, tag: statistics.count > 1 ? item.spec : "", cellsOpen: cellImages > 0)
            let perImage = try PerImage(store: store, corruption: item.corruption, bootstrap: bootstrap)
            let examples = try Examples(
                figures, perImage, images, classNames: store.manifest.classNames, room: &room)
            return Section(
                statistics: item, layers: figures.layers(), windows: try figures.windowSums(perImage),
                heads: figures.heads(), tokens: figures.tokens(), places: figures.strongestPlaces(),
                directions: figures.directions(),
                interactions: interactions.first { $0.corruption == item.corruption }.map {
                    InteractionFigures(found: $0, figures: figures).all
                } ?? [],
                controls: figures.controls(), metrics: figures.metrics(),
                classes: try figures.classes(perImage, names: store.manifest.classNames),
                groups: groups.flatMap { $0.filter { $0.corruption == item.spec }.compactMap(figures.groupFigure) },
                examples: examples,
                estimates: try EstimateFigures(
                    item, store, images, tag: statistics.count > 1 ? item.spec : "", room: &room))
        }
        cells =
            cellImages == 0
            ? nil
            : try CellImages(
                store: store, statistics: statistics, count: cellImages, thumbnails: thumbnails,
                room: Self.mostBytes / 4)
    }

    var figures: [Figure] { sections.flatMap(\.figures) + doses }

    // MARK: - The page

    /// The page. Tables are shortened, then figures left out, until it is below `mostBytes`.
    ///
    /// - Parameter formats: the formats of figure files besides SVG and CSV
    func html(formats: [PictureFormat] = []) -> String {
        for rows in [1000, 200, 40, 0] {
            let page = html(rows: rows, figures: .max, formats)
            if page.utf8.count < Self.mostBytes { return page }
        }
        var figures = self.figures.count
        while figures > 1 {
            figures /= 2
            let page = html(rows: 0, figures: figures, formats)
            if page.utf8.count < Self.mostBytes { return page }
        }
        return html(rows: 0, figures: 0, formats)
    }

    private func html(rows: Int, figures limit: Int, _ formats: [PictureFormat]) -> String {
        var shown = 0
        func figures(_ list: [Figure]) -> String {
            list.map { figure in
                shown += 1
                return shown <= limit
                    ? figure.html(rows: rows, formats: formats)
                    : "<p class=\"note\">\(escaped(figure.title)): figures/\(escaped(figure.name)).svg</p>\n"
            }.joined()
        }
        let body = sections.map { section -> String in
            let spec = section.statistics.spec
            var out = ""
            func part(_ title: String, _ content: String) {
                guard !content.isEmpty else { return }
                let name = sections.count > 1 ? "\(title): \(spec)" : title
                out +=
                    "<section id=\"\(fileName([title, sections.count > 1 ? spec : ""]))\"><h2>\(escaped(name))</h2>"
                    + content + "</section>\n"
            }
            for (title, list) in section.parts {
                part(
                    title,
                    (title == "Random places"
                        ? controlHTML(section.statistics)
                        : title == "Estimates" ? section.estimates?.html ?? "" : "") + figures(list))
            }
            part("Examples", section.examples?.html ?? "")
            guard doseSpecs.contains(spec) else { return out }
            return
                "<details class=\"strength\" id=\"\(fileName(["strength", spec]))\"><summary>\(escaped(spec)): all figures</summary>\n\(out)</details>\n"
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
            </main>\(cells?.html ?? "")<script>\(ReportScript.text)</script></body></html>

            """
    }

    var title: String {
        let corruptions = manifest.corruptions.filter { $0 != "none" }
        let names = unique(
            manifest.ownPatches.map { InterventionWords(manifest, direction: $0.direction).name })
        let what = corruptions.isEmpty ? ReportWords.list(names) : "activation patching"
        return what.prefix(1).uppercased() + what.dropFirst() + " of \(ReportWords.name(manifest.model))"
            + (corruptions.isEmpty ? "" : ": \(ReportWords.list(manifest.corruptions))")
    }
}
