import Foundation
import Results
import Statistics
import StoreTestSupport
import TestSupport
import Testing

@testable import Report

private struct Cells: Decodable {
    struct Image: Decodable { var id: String, picture: String? }
    struct Effect: Decodable { var image: Int, effect: String }
    var images: [Image]
    var cells: [String: [Effect]]

    init(_ html: String) throws {
        let parts = html.components(separatedBy: "<script type=\"application/json\" id=\"cells\">")
        let json = try #require(parts.count == 2 ? parts[1].components(separatedBy: "</script>").first : nil)
        #expect(!json.contains("<"))
        self = try JSONDecoder().decode(Cells.self, from: Data(json.utf8))
    }
}

/// Interactive parts of the page: cells that open, files of figures, margins.
@Suite struct PageTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    /// A cell shows the images with the largest and the smallest effects of its patch.
    @Test(arguments: [(Synthetic.heads, 4), (.tokens, 3), (.doses, 5)])
    func cellsOpenTheirImages(kind: Synthetic, count: Int) throws {
        let store = try kind.store(folder: folder.path, images: 9, seed: .random(in: 0...(.max)))
        let page = try ReportPage(
            store: store, images: nil, cellImages: count, thumbnails: { $0.hasPrefix("cat") ? nil : Data($0.utf8) })
        let html = page.html(), found = try Cells(html)
        let keys = Set(html.matches(of: #/ data-c="([0-9.]+)"/#).map { String($0.1) })
        #expect(!keys.isEmpty && keys.isSubset(of: found.cells.keys))
        for (corruption, statistics) in page.statistics.enumerated() {
            let perImage = try PerImage(store: store, corruption: corruption, bootstrap: Bootstrap())
            for patch in statistics.patches.prefix(20) {
                let effects = try perImage.effects(patch.patch)
                let order = effects.indices.sorted { (effects[$1], $0) < (effects[$0], $1) }
                let wanted = order.prefix((count + 1) / 2) + order.suffix(count / 2)
                let cell = try #require(found.cells["\(corruption).\(patch.patch)"])
                #expect(cell.map { found.images[$0.image].id } == wanted.map { perImage.images[$0].id })
                #expect(cell.map(\.effect) == wanted.map { plus(effects[$0], 3) })
            }
        }
        for image in found.images {
            let picture = image.id.hasPrefix("cat") ? nil : Picture(Data(image.id.utf8)).url
            #expect(image.picture == picture)
        }
        // Without images the page has no cells to open.
        let plain = try ReportPage(store: store, images: nil).html()
        #expect(!plain.contains("data-c=") && !plain.contains("id=\"cells\""))
    }

    /// Pictures are left out where they would fill the page; ids and numbers stay.
    @Test func cellsKeepThePageSmall() throws {
        let store = try Synthetic.heads.store(folder: folder.path, images: 30, seed: 3)
        let found = try Cells(
            ReportPage(
                store: store, images: nil, cellImages: 6, thumbnails: { _ in Data(repeating: 1, count: 100_000) }
            ).html())
        let pictures = found.images.count { $0.picture != nil }
        #expect(pictures > 2 && pictures < 12 && found.images.count > 20 && found.cells.count == 144)
    }

    @Test func everyFigureNamesItsFiles() throws {
        let store = try Synthetic.layers.store(folder: folder.path, images: 7, seed: 3)
        let page = try ReportPage(store: store, images: nil)
        for (formats, endings) in [
            ([PictureFormat](), ["svg", "csv"]), ([.png, .pdf], ["svg", "png", "pdf", "csv"]),
        ] {
            let html = page.html(formats: formats)
            for figure in page.figures {
                let part = try #require(html.components(separatedBy: "<figure id=\"\(figure.name)\">").last)
                    .components(separatedBy: "</figcaption>")[0]
                let links = part.matches(of: #/href="figures/([^"]+)"/#).map { String($0.1) }
                #expect(links == endings.map { "\(figure.name).\($0)" })
            }
        }
    }

    @Test(.enabled(if: VectorLibrary() != nil, "librsvg and cairo are not installed"))
    func picturesOfFigures() throws {
        let store = try Synthetic.heads.store(folder: folder.path, images: 7, seed: 3)
        let files = try writeReport(of: store, formats: [.png, .pdf])
        let drawing = try ReportPage(store: store, images: nil).figures[0].drawing
        for path in files.figures.map({ $0.dropLast(3) }) {
            let png = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path + "png")))
            #expect(png.starts(with: [0x89, 0x50, 0x4E, 0x47, 13, 10, 26, 10]))
            func side(_ at: Int) -> Int { png[at..<at + 4].reduce(0) { $0 << 8 | Int($1) } }
            #expect(
                side(16) == Int((2 * drawing.width).rounded(.up)) && side(20) == Int((2 * drawing.height).rounded(.up)))
            let pdf = try Data(contentsOf: URL(fileURLWithPath: path + "pdf"))
            #expect(pdf.starts(with: Array("%PDF-".utf8)) && pdf.suffix(6).contains(UInt8(ascii: "E")))
        }
        // A report without pictures of figures lists the existing ones as an earlier report's.
        #expect(try writeReport(of: store).others.count == 2 * files.figures.count)
        #expect(VectorLibrary()?.picture(of: "<svg", width: 10, height: 10, as: .png) == nil)
    }

    @Test func withoutTheLibrary() {
        #expect(VectorLibrary(rsvg: "libnothing-of-the-kind.so.2") == nil)
        #expect(
            ReportError.noVectorLibrary(option: "--pdf").description
                == "--pdf needs librsvg and cairo (Debian and Ubuntu: librsvg2-2), which are not installed")
    }

    /// Bars beside a map are the means of its rows and columns, with the map's zero.
    @Test func margins() throws {
        let values = [[0.25, -0.5, 0.25], [0.5, 0.5, -0.25]]
        let panel = HeatMap(title: "", limit: 1).matrix(
            rows: ["0", "1"], columns: ["a", "b", "c"], rowTitle: "layer", columnTitle: "head", margins: true
        ) { HeatMap.Cell(value: values[$0][$1], significant: false, tooltip: "") }
        let bars = panel.body.matches(
            of:
                #/class="(d[01])" x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="([\d.]+)"><title>([^<]*), mean\n([^<]*)</#
        )
        #expect(bars.map { String($0.5) } == ["layer 0", "layer 1", "head a", "head b", "head c"])
        #expect(bars.map { String($0.6) } == ["0.000", "+0.250", "+0.375", "0.000", "0.000"])
        #expect(bars[1].1 == "d0")
        let (row, column) = (try #require(Double(bars[1].3)), try #require(Double(bars[2].4)))
        #expect(abs(column / row - 0.375 / 0.25) < 0.05)
    }

    /// Maps of one site share one scale in both directions.
    @Test func mapsShareTheirScale() throws {
        let patches = ["restore", "noise"].flatMap { direction in
            (0..<2).flatMap { layer in (0..<3).map { patch(layer, direction, site: "z", head: "\($0)") } }
        }
        let temporary = try TemporaryStore(testManifest(patches: patches))
        func pass(_ p: Float) -> PassMetrics { PassMetrics(p: p, logit: p, logitDiff: p, kl: 1 - p, prediction: 0) }
        for index in 0..<8 {
            try temporary.store.append(
                images: [image(index, clean: pass(0.75), corrupted: pass(0.25))],
                effects: patches.indices.map {
                    EffectRecord(
                        image: index, corruption: 0, patch: $0,
                        patched: pass(patches[$0].direction == "noise" ? 0.75 - 0.03125 : 0.5))
                })
        }
        let heads = try ReportPage(store: temporary.store, images: nil).figures.filter { $0.name.contains("heads") }
        #expect(heads.count == 2 && heads.allSatisfy { $0.colourLimit == 0.25 })
        #expect(heads[1].panels[0].body.contains("class=\"n4\""))  // 0.03125 / 0.25 of 32 steps
    }

    /// Near ties are reported as such.
    @Test func noSinglePlaceStandsOut() throws {
        func column(_ index: Int, _ lead: Float) -> [Float] {
            (0..<40).map { image in
                let wave = sin(Float(image * 7 + index * 13)) * 0.1
                return wave + (index == 2 ? lead : 0.3)
            }
        }
        let store = try Synthetic.heads.store(folder: folder.path, images: 12, seed: 3)
        var direction = try #require(try statistics(of: store)[0].directions.first)
        for (lead, stands) in [(Float(0.3), false), (1, true)] {
            let found = try #require(Reliability((0..<6).map { column($0, lead) }, seed: 1))
            #expect(found.standsOut == stands)
            direction.reliability = found
            #expect(ReportWords.reliability(direction)?.hasPrefix("No single place stands out: of 100") == !stands)
        }
    }

    @Test func tokensInWords() {
        #expect(
            ["0", "cls", "5", "patches", "0+5", "3:6x2:5"].map(tokenText) == [
                "CLS", "CLS", "token 5", "patches", "tokens 0+5", "tokens 3:6x2:5",
            ])
    }
}

@Suite struct SummaryChoiceTests {
    private func temporaryStore() throws -> TemporaryStore {
        let patches = ["attn_out", "mlp_out"].flatMap { site in (0..<3).map { patch($0, site: site) } }
        let temporary = try TemporaryStore(testManifest(patches: patches))
        // Per patch: p, and log-odds in another order
        let p: [Float] = [0.125, -0.25, 0.0625, 0.1875, 0.03125, 0]
        let logOdds: [Float] = [1, 2, -6, 3, 4, 5]
        func pass(_ p: Float, _ logOdds: Float) -> PassMetrics {
            PassMetrics(p: p, logit: p, logitDiff: 2 * p, kl: 1 - p, prediction: 0, logOdds: logOdds)
        }
        for index in 0..<8 {
            try temporary.store.append(
                images: [image(index, clean: pass(0.75, 8), corrupted: pass(0.25, 0))],
                effects: patches.indices.map {
                    EffectRecord(image: index, corruption: 0, patch: $0, patched: pass(0.25 + p[$0], logOdds[$0]))
                })
        }
        try temporary.store.finish()
        return temporary
    }

    @Test func choosesAndOrders() throws {
        let temporary = try temporaryStore()
        let statistics = try statistics(of: temporary.store)
        func places(_ choice: SummaryChoice) -> [String] { choice.patches(statistics[0]).map(\.record.short) }
        #expect(places(SummaryChoice(top: 3)) == ["attn_out L1", "mlp_out L0", "attn_out L0"])
        #expect(places(SummaryChoice(top: 3, sort: .effect)) == ["mlp_out L0", "attn_out L0", "attn_out L1"])
        #expect(places(SummaryChoice(top: 3, sort: .place)) == ["attn_out L0", "attn_out L1", "mlp_out L0"])
        #expect(places(SummaryChoice(metric: .logOdds, sites: ["attn_out"], top: 1)) == ["attn_out L2"])
        #expect(places(SummaryChoice(sites: ["mlp_out"])) == ["mlp_out L0", "mlp_out L1", "mlp_out L2"])
        #expect(places(SummaryChoice(sort: .positive)).last == "mlp_out L2")
        let csv = summaryData(
            statistics, manifest: temporary.store.manifest, choice: SummaryChoice(top: 2), format: .csv
        ).split(separator: "\n")
        #expect(csv.count == 3 && csv[1].hasPrefix("grayscale,restore,attn_out,1,"))
    }

    @Test func asText() throws {
        let temporary = try temporaryStore()
        let list = try summaryText(
            store: temporary.store, choice: SummaryChoice(metric: .logOdds, sites: ["attn_out"], top: 2))
        #expect(list.contains("denoising   mean log-odds, patched - corrupted; the strongest 2 of 3 places"))
        #expect(
            list.split(separator: "\n").suffix(2).map { $0.split(separator: " ").prefix(3).joined(separator: " ") } == [
                "attn_out L2 -6.000", "attn_out L1 +2.000",
            ])
        let tables = try summaryText(store: temporary.store, choice: SummaryChoice(metric: .kl, sites: ["mlp_out"]))
        #expect(tables.contains("denoising mlp_out   mean KL(clean ‖ pass), patched - corrupted"))
        #expect(!tables.contains("attn_out  ") && tables.contains("0  -0.188 [-0.188, -0.188]"))
    }
}
