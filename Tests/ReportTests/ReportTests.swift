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
