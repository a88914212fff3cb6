import Foundation
import FoundationXML
import Results
import Statistics
import StoreTestSupport
import TestSupport
import Testing

@testable import Report

private func isXML(_ text: String) -> Bool { XMLParser(data: Data(text.utf8)).parse() }

@Suite struct ReportTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    /// The page is self-contained, every figure is also a file, and names are escaped.
    @Test(arguments: Synthetic.allCases) func selfContained(kind: Synthetic) throws {
        let store = try kind.store(folder: folder.path, images: 12, seed: .random(in: 0...(.max)))
        let files = try writeReport(of: store)
        let html = try String(contentsOfFile: files.page, encoding: .utf8)
        #expect(html.utf8.count == files.pageBytes && files.pageBytes < ReportPage.mostBytes)
        for outside in ["http:", "https:", "src=\"/", "url(", "@import", "<link rel=\"stylesheet"] {
            #expect(!html.contains(outside), "\(outside)")
        }
        #expect(!html.contains("<tiny>") && !html.contains("<b>&") && !html.contains("<script>\""))
        #expect(html.components(separatedBy: "<script>").count == 2)  // our own
        #expect(!html.contains("nan<") && !html.contains("\"nan") && !html.contains("inf\""))
        #expect(!files.figures.isEmpty && Set(files.figures).count == files.figures.count)
        for path in files.figures {
            #expect(isXML(try String(contentsOfFile: path, encoding: .utf8)), "\(path)")
            #expect(FileManager.default.fileExists(atPath: path.dropLast(4) + ".csv"))
        }
        // Inline figures are XML as well.
        for part in html.components(separatedBy: "<svg").dropFirst() {
            let svg = "<svg" + (part.components(separatedBy: "</svg>").first ?? "") + "</svg>"
            #expect(isXML(svg), "\(svg.prefix(200))")
        }
        let expected: [Synthetic: [String]] = [
            .layers: [
                "effect-by-layer-restore", "effect-by-layer-noise", "window-sums-noise-mlp_out",
                "classes-restore-attn_out", "both-directions", "metrics-noise-mlp_out",
            ],
            .heads: ["effect-by-heads-restore-z"], .tokens: ["effect-by-tokens-restore-resid_post"],
            .doses: [
                "dose-response-noise", "dose-response-noise-restore", "dose-map-noise-restore-attn_out",
                "effect-by-layer-restore-noise-0.5",
            ],
            .places: ["strongest-restore-pattern"],
        ]
        let names = files.figures.compactMap { $0.split(separator: "/").last?.dropLast(4) }.map(String.init)
        for name in expected[kind] ?? [] { #expect(names.contains(name), "\(names)") }
    }

    /// Every number in the tables (in full) and in the headline (rounded) equals the Statistics module's.
    @Test(arguments: [Synthetic.layers, .heads, .tokens]) func numbersAreTheStatistics(kind: Synthetic) throws {
        let store = try kind.store(folder: folder.path, images: 11, seed: .random(in: 0...(.max)))
        let found = try statistics(of: store)[0]
        let page = try ReportPage(store: store, images: nil)
        let html = page.html()
        #expect(html.contains("\(shareText(found.accuracyClean)) to \(shareText(found.accuracyCorrupted))"))
        #expect(html.contains("a total effect of \(withInterval(found.totalP, 3))"))
        var rows = 0
        for figure in page.figures where figure.name.hasPrefix("effect-by") {
            let table = try #require(figure.table)
            let lines = table.csv.split(separator: "\n").map {
                $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            }
            #expect(lines[0].allSatisfy { $0.wholeMatch(of: /[a-z0-9_]+/) != nil }, "\(lines[0])")
            for (line, row) in zip(lines.dropFirst(), table.rows) {
                let fields = Dictionary(zip(lines[0], line)) { a, _ in a }
                func number(_ name: String) -> Double { Double(fields[name] ?? "") ?? .nan }
                let patch = try #require(
                    found.patches.first {
                        $0.record.place
                            == ["direction", "site", "layer", "head", "token", "window"].map { fields[$0] ?? "" }
                    })
                #expect(number("effect_p") == patch.p.mean && number("effect_p_ci_low") == patch.p.low)
                #expect(number("effect_p_ci_high") == patch.p.high && number("median_p") == patch.p.median)
                #expect(number("recovered") == patch.p.recovered && number("effect_kl") == patch[.kl].mean)
                #expect(number("effect_logit_diff") == patch[.logitDiff].mean)
                #expect(!found.hasLogOdds || number("effect_log_odds") == patch[.logOdds].mean)
                #expect(
                    patch.construction != nil
                        || (number("p_value") == patch.pValue && number("p_adjusted") == patch.pAdjusted))
                #expect(html.contains(row.map { "<td>\(escaped($0.shown))</td>" }.joined()))
                rows += 1
            }
        }
        #expect(rows == found.patches.count)
    }

    @Test func picturesAreEmbedded() throws {
        let store = try Synthetic.layers.store(folder: folder.path, images: 12, seed: 1)
        var asked: [String] = []
        let page = try ReportPage(store: store) { id, corruption in
            asked.append(id)
            #expect(corruption == "grayscale")
            return id.hasPrefix("cat") ? nil : ExamplePictures(clean: Data("one".utf8), corrupted: Data("two".utf8))
        }
        #expect(Set(asked).count == asked.count && asked.count >= 6)
        let html = page.html()
        #expect(html.contains("data:image/png;base64,b25l") && html.contains("data:image/png;base64,dHdv"))
    }

    /// Each image's own effects, over the picture of the model's input.
    @Test func tokenMapsOverPictures() throws {
        let store = try Synthetic.tokens.store(folder: folder.path, images: 12, seed: 1)
        let page = try ReportPage(store: store) { _, _ in
            ExamplePictures(clean: Data("one".utf8), corrupted: nil, note: "<none>", input: Data("in".utf8))
        }
        let examples = try #require(page.sections[0].examples)
        let html = page.html()
        #expect(html.contains("<p class=\"note\">&lt;none&gt;</p>"))
        for view in examples.views {
            let map = try #require(view.map)
            #expect(isXML(map.html) && map.body.contains("href=\"data:image/png;base64,aW4=\""))
            #expect(map.body.components(separatedBy: "fill-opacity").count == 65)
            // The patch that selected the image is one of the map's.
            let effect = plus(view.example.effect, decimals(for: [view.mapLimit]))
            #expect(map.body.contains("token \(examples.patch.record.token)\n\(effect)"), "\(effect)")
        }
        #expect(examples.patch.record.token != "0")
        let wanted = try PerImage(store: store, corruption: 0, bootstrap: Bootstrap()).effects(examples.patch.patch)
        #expect(examples.views.map(\.example.effect).allSatisfy(wanted.contains))
    }

    @Test func smallPicturesAreEnlargedAsSquares() {
        func header(_ width: UInt8, _ height: UInt8) -> Data {
            Data([
                0x89, 0x50, 0x4E, 0x47, 13, 10, 26, 10, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, width, 0, 0, 0,
                height,
            ])
        }
        #expect(
            Picture(header(32, 32)).isSmall && !Picture(header(32, 200)).isSmall && !Picture(header(255, 1)).isSmall)
        #expect(!Picture(Data()).isSmall && !Picture(header(32, 32).dropLast()).isSmall)
    }

    /// Pictures take at most half of the page; the numbers stay.
    @Test func largePicturesAreLeftOut() throws {
        let store = try Synthetic.layers.store(folder: folder.path, images: 12, seed: 1)
        let large = Data(repeating: 7, count: 400_000)
        let page = try ReportPage(store: store) { _, _ in ExamplePictures(clean: large, corrupted: large) }
        let views = try #require(page.sections[0].examples).views
        #expect(views.count { $0.pictures != nil } == 2 && views.count > 5)
        let html = page.html()
        #expect(html.utf8.count < ReportPage.mostBytes && html.contains("Some pictures are left out"))
    }

    @Test func emptyAndUnfinishedStores() throws {
        let store = try ResultsStore.create(
            folder: folder.path, manifest: testManifest(patches: [patch(0)], corruptions: ["none", "blur:1"]))
        let files = try writeReport(of: store)
        let html = try String(contentsOfFile: files.page, encoding: .utf8)
        #expect(html.contains("No image is complete yet") && html.contains("not finished") && files.figures.isEmpty)
    }

    @Test func oneImage() throws {
        let store = try Synthetic.layers.store(folder: folder.path, images: 1, seed: 1)
        let files = try writeReport(of: store)
        let html = try String(contentsOfFile: files.page, encoding: .utf8)
        #expect(
            !files.figures.isEmpty && html.contains("Over 1 image, ") && html.contains("no intervals below 6 images"))
        let text = try summaryText(store: store)
        #expect(text.contains("no intervals below 6 images") && !text.contains("nan") && !text.contains("[-"))
    }

    /// Thousands of places: the page stays small, and the full tables are in files.
    @Test func largeSweepsStaySmall() throws {
        let patches = (0..<12).flatMap { layer in
            (0..<197).map { patch(layer, site: "resid_pre", token: "\($0)") }
        }
        let store = try ResultsStore.create(folder: folder.path, manifest: testManifest(patches: patches))
        for index in 0..<3 {
            func pass(_ p: Float) -> PassMetrics { PassMetrics(p: p, logit: p, logitDiff: p, kl: 1 - p, prediction: 0) }
            try store.append(
                images: [image(index, clean: pass(0.9), corrupted: pass(0.2))],
                effects: patches.indices.map {
                    EffectRecord(image: index, corruption: 0, patch: $0, patched: pass(0.2 + Float($0 % 100) / 200))
                })
        }
        let files = try writeReport(of: store)
        #expect(files.pageBytes < 2_000_000, "\(files.pageBytes)")
        let csv = try String(contentsOfFile: files.figures[0].dropLast(4) + ".csv", encoding: .utf8)
        #expect(csv.split(separator: "\n").count == 1 + patches.count)
    }

    @Test func aFileInTheWay() throws {
        let store = try Synthetic.heads.store(folder: folder.path, images: 2, seed: 1)
        try "in the way".write(toFile: folder.path + "/figures", atomically: true, encoding: .utf8)
        func message() -> String? { #expect(throws: ReportError.self) { try writeReport(of: store) }?.description }
        #expect(message() == "cannot write \(folder.path)/figures: a file has the name of the folder")
        try FileManager.default.removeItem(atPath: folder.path + "/figures")
        try FileManager.default.createDirectory(
            atPath: folder.path + "/report.html", withIntermediateDirectories: false)
        #expect(message() == "cannot write \(folder.path)/report.html: a folder has that name")
    }

    /// Figures of an earlier report are kept, and listed.
    @Test func earlierFigures() throws {
        let store = try Synthetic.heads.store(folder: folder.path, images: 2, seed: 1)
        let files = try writeReport(of: store)
        #expect(files.others.isEmpty && !files.figures.isEmpty)
        for name in ["old.svg", "old.csv", "effect-by-heads-restore-z.png", "notes.txt"] {
            try "old".write(toFile: folder.path + "/figures/" + name, atomically: true, encoding: .utf8)
        }
        #expect(try writeReport(of: store).others == ["effect-by-heads-restore-z.png", "old.csv", "old.svg"])
    }
}

@Suite struct PerImageTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    @Test func windowsBesideSums() throws {
        let seed = UInt64.random(in: 0...(.max))
        let store = try Synthetic.layers.store(folder: folder.path, images: 9, seed: seed)
        let found = try statistics(of: store)[0]
        let groups = PlaceGroup.all(found, store.manifest)
        #expect(
            groups.map(\.title) == ["denoising attn_out", "denoising mlp_out", "noising attn_out", "noising mlp_out"])
        let perImage = try PerImage(store: store, corruption: 0, bootstrap: Bootstrap(seed: 7))
        for group in groups {
            let windows = try perImage.windowSums(group)
            #expect(windows.map(\.window) == ["3"] && windows[0].sums.count == 12)
            for (layer, sum) in windows[0].sums.enumerated() {
                func mean(_ layer: Int, _ window: String) -> Double {
                    group.patch(layer: "\(layer)", window: window)?.p.mean ?? .nan
                }
                // A mean of sums is the sum of means.
                let wanted = (max(0, layer - 1)...min(11, layer + 1)).reduce(0) { $0 + mean($1, "1") }
                #expect(abs(sum.sum.mean - wanted) < 1e-12, "seed \(seed)")
                #expect(abs(sum.difference.mean - (mean(layer, "3") - wanted)) < 1e-12)
                #expect(sum.difference.low <= sum.difference.mean && sum.difference.mean <= sum.difference.high)
                #expect(sum.patch.p == group.patch(layer: "\(layer)", window: "3")?.p)
            }
        }
    }

    /// If the depth is unknown, a window that may extend beyond the last layer is left out.
    @Test func unknownDepth() throws {
        let patches = ["1", "3"].flatMap { window in (0..<4).map { patch($0, window: window) } }
        let store = try ResultsStore.create(folder: folder.path, manifest: testManifest(patches: patches))
        let pass = PassMetrics(p: 0.5, logit: 0, logitDiff: 0, kl: 0, prediction: 0)
        for index in 0..<2 {
            try store.append(
                images: [image(index, clean: pass, corrupted: pass)],
                effects: patches.indices.map { EffectRecord(image: index, corruption: 0, patch: $0, patched: pass) })
        }
        let perImage = try PerImage(store: store, corruption: 0, bootstrap: Bootstrap())
        let group = PlaceGroup.all(try statistics(of: store)[0], store.manifest)[0]
        #expect(try perImage.windowSums(group)[0].sums.map(\.patch.record.layer) == ["0", "1", "2"])
    }

    @Test func classesAndExamples() throws {
        let seed = UInt64.random(in: 0...(.max))
        let store = try Synthetic.layers.store(folder: folder.path, images: 35, seed: seed)
        let found = try statistics(of: store)[0]
        let perImage = try PerImage(store: store, corruption: 0, bootstrap: Bootstrap(seed: 7))
        let best = try #require(PlaceGroup.all(found, store.manifest)[1].strongest)
        let values = try perImage.effects(best.patch)
        let classes = try perImage.byClass([best.patch], most: 24)
        #expect(classes.map(\.label) == Array(0..<10) && classes.reduce(0) { $0 + $1.images } == 35)
        for item in classes {
            let rows = perImage.images.indices.filter { perImage.images[$0].label == item.label }.map { values[$0] }
            #expect(item.images == rows.count)
            #expect(abs(item.effects[0].mean - rows.reduce(0, +) / Double(rows.count)) < 1e-12)
            let totals = perImage.images.filter { $0.label == item.label }.map {
                Double($0.clean.p) - Double($0.corrupted.p)
            }
            #expect(abs(item.total.mean - totals.reduce(0, +) / Double(totals.count)) < 1e-12)
        }
        #expect(try perImage.byClass([best.patch], most: 3).map(\.label) == [0, 1, 2])  // 4 images each, then 3

        let examples = try perImage.examples(of: best)
        #expect(Set(examples.map(\.image.image)).count == examples.count)
        let strongest = examples.filter { $0.kind == .strongest }.map(\.effect)
        #expect(strongest == Array(values.sorted(by: >).prefix(3)), "seed \(seed)")
        #expect(examples.filter { $0.kind == .opposite }.allSatisfy { $0.effect < 0 })
        #expect(examples.count { $0.kind == .typical } == 3)
    }

    @Test func doses() throws {
        let store = try Synthetic.doses.store(folder: folder.path, images: 12, seed: 3)
        let manifest = store.manifest
        var found = try statistics(of: store, significance: false)
        func all() -> [DoseSeries] { DoseSeries.all(found, manifest) }
        #expect(all().map { $0.doses.map(\.dose) } == [[0.5, 1, 2, 4]])
        let figures = try #require(all().first).figures
        #expect(
            figures.map(\.name) == [
                "dose-response-noise", "dose-response-noise-restore", "dose-map-noise-restore-attn_out",
            ])
        #expect(figures[0].table?.rows.map { $0[0].data } == ["0.5", "1", "2", "4"])
        let strongest = try #require(figures[1].table?.rows.last)  // of the last dose and window
        let best = try #require(found[3].patches.filter { $0.record.window == "3" }.max { $0.p.mean < $1.p.mean })
        #expect(strongest[..<3].map(\.data) == ["4", best.record.short, "\(best.p.mean)"])
        // One row per strength and patch, on one scale.
        #expect(figures[2].table?.rows.count == 4 * 16 && figures[2].panels.count == 2)
        // A share of a total effect that may be zero is not drawn.
        found[0].totals[0].low = -1
        #expect(all()[0].figures[1].panels[1].body.components(separatedBy: "class=\"hit\"").count == 1 + 3)
        found[0].spec = "grayscale"
        found[1].spec = "blur:1"
        found[2].spec = "noise:10"
        #expect(all().map { $0.doses.map(\.dose) } == [[4, 10]])
        #expect(DoseSeries.all([], manifest).isEmpty)
    }

    /// Strengths come first; the figures of each are collapsed, in the terminal too.
    @Test func strengthsLead() throws {
        let store = try Synthetic.doses.store(folder: folder.path, images: 12, seed: 3)
        let html = try ReportPage(store: store, images: nil).html()
        #expect(html.components(separatedBy: "<details class=\"strength\"").count == 1 + 4)
        let dose = try #require(html.firstRange(of: "id=\"dose\""))
        let folded = try #require(html.firstRange(of: "<details class=\"strength\""))
        #expect(dose.lowerBound < folded.lowerBound)
        #expect(html.contains("12 of 12 seen (all are included)"), "counted once")
        let text = try summaryText(store: store)
        #expect(text.components(separatedBy: "\n  denoising attn_out").count == 1 + 2, "one map a window:\n\(text)")
        #expect(text.contains("corruption noise   4 strengths of the same images"))
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 95 }, "\(text)")
    }
}

@Suite struct DrawingTests {
    @Test func scales() {
        let scale = Scale([0.013, 0.187], from: 100, to: 0, ticks: 4)
        #expect(scale.labels == ["0.00", "0.05", "0.10", "0.15", "0.20"])
        #expect(scale(0) == 100 && abs(scale(0.2)) < 1e-9)
        #expect(Scale([-3, 2], from: 0, to: 1).labels == ["−3", "−2", "−1", "0", "1", "2"])
        // A value slightly below zero adds no step.
        let little = Scale([-0.004, 0.187], from: 100, to: 0, ticks: 4)
        #expect(
            little.labels == ["0.00", "0.05", "0.10", "0.15", "0.20"] && little(-0.004) < 100
                && little(0) < little(-0.004))
        for values in [[], [.nan], [0], [5], [-1e-9, 1e-9], [1e20, 1e21], [.infinity, 1]] as [[Double]] {
            let scale = Scale(values, from: 0, to: 10)
            #expect(scale.ticks.count >= 2 && scale.ticks.count < 12, "\(values): \(scale.ticks)")
            #expect(values.filter(\.isFinite).allSatisfy { (-1e-6...10 + 1e-6).contains(scale($0)) })
        }
    }

    /// Every chart labels its axes; windows are drawn at their centres.
    @Test func axesAreNamed() throws {
        let folder = try TemporaryFolder()
        let page = try ReportPage(store: Synthetic.layers.store(folder: folder.path, images: 12, seed: 1), images: nil)
        for panel in page.figures.flatMap(\.panels) {
            #expect(panel.body.contains("rotate(-90)") && panel.body.contains("class=\"axis\""), "\(panel.label)")
        }
        let labels = try #require(page.figures.first).panels.map(\.label)
        #expect(
            labels.prefix(2) == [
                "attn_out, single layers: mean Δp by layer", "attn_out, windows of 3: mean Δp by centre layer",
            ])
    }

    /// Where an axis shows ranks, tooltips name the patch.
    @Test func ranksHaveNames() throws {
        let folder = try TemporaryFolder()
        let page = try ReportPage(store: Synthetic.places.store(folder: folder.path, images: 8, seed: 1), images: nil)
        let figure = try #require(page.figures.first { $0.name == "strongest-restore-pattern" })
        let best = try #require(page.statistics[0].patches.max { abs($0.p.mean) < abs($1.p.mean) })
        let isNamed = figure.panels[0].body.contains("<title>\(escaped(best.record.short)): ")
        let body = figure.panels[0].body
        #expect(isNamed || body.contains("<title>\(escaped(best.record.short))\n"))
    }

    @Test func sitesInWords() {
        #expect(ReportWords.site("q+k") == "q+k (the heads' queries and the heads' keys)")
        #expect(ReportWords.site("two heads") == "two heads" && ReportWords.site("q+mine") == "q+mine")
    }

    @Test func numbers() {
        #expect(number(-0.0001, 3) == "0.000" && number(-1.5, 1) == "−1.5" && number(.nan, 2) == "–")
        #expect(plus(0.5, 2) == "+0.50" && plus(0.001, 2) == "0.00" && plus(-2, 0) == "−2")
        #expect(pText(0.0004) == "< 0.001" && pText(0.25) == "0.250")
        #expect(
            SVG.number(1.25) == "1.3" && SVG.number(-0.04) == "0" && SVG.number(-0.26) == "-0.3"
                && SVG.number(.nan) == "0")
        #expect(escaped("a<b>&\"\u{1}\n") == "a&lt;b&gt;&amp;&quot; \n")
        #expect(fileName(["A b", "", "noise:0.5/é"]) == "a-b-noise-0.5--")
    }

    /// The scale is symmetric, and its shades are monotonic.
    @Test func colours() {
        #expect(FigureStyle.colourClass(0, limit: 1) == "z" && FigureStyle.colourClass(1, limit: 1) == "p32")
        #expect(FigureStyle.colourClass(-9, limit: 1) == "n32" && FigureStyle.colourClass(.nan, limit: 1) == "none")
        #expect(FigureStyle.colourClass(0.5, limit: 0) == "z")
        for theme in FigureStyle.Theme.allCases {
            let colours = Dictionary(
                uniqueKeysWithValues: FigureStyle.diverging(theme).map { ($0.name, Oklab.lab($0.value)[0]) })
            for sign in ["n", "p"] {
                let shades = ["z"] + (1...FigureStyle.steps).map { "\(sign)\($0)" }
                let lightness = shades.compactMap { colours[$0] }
                let sorted = theme == .light ? lightness.sorted(by: >) : lightness.sorted()
                #expect(
                    lightness.count == 33 && zip(lightness, sorted).allSatisfy { abs($0 - $1) < 0.006 }, "\(lightness)")
            }
        }
        #expect(
            Oklab.mix(["#000000", "#ffffff"], at: 0) == "#000000"
                && Oklab.mix(["#12ab9f", "#ffffff"], at: 0) == "#12ab9f")
        #expect(Oklab.mix(["#000000", "#ffffff"], at: 2) == "#ffffff")
    }
}
