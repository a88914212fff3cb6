import Foundation
import Results
import Statistics
import StoreTestSupport
import TestSupport
import Testing

@testable import Report

/// Words follow what was patched into what, in everything that a reader sees of each kind of sweep.
@Suite struct InterventionTests {
    struct Kind: CustomTestStringConvertible, Sendable {
        var intervention: Intervention, direction: String, corruption: String
        /// Words that all texts contain, and words that none may contain
        var says: [String], never: [String]
        var testDescription: String { "\(intervention) \(direction) \(corruption)" }
    }

    private static let exchange = ["total effect", "recovered"]
    static let kinds = [
        Kind(
            intervention: .denoising, direction: "restore", corruption: "grayscale",
            says: ["denoising", "clean activations", "the corrupted pass", "p corrupted"] + exchange,
            never: [" noising:", "ablation", "zeros", "donor"]),
        Kind(
            intervention: .noising, direction: "noise", corruption: "grayscale",
            says: ["noising", "corrupted activations", "the clean pass", "p clean"] + exchange,
            never: ["denoising:", "ablation", "zeros", "donor"]),
        Kind(
            intervention: .zero, direction: "noise", corruption: "none",
            says: ["zero ablation", "zeros", "the clean pass", "p clean", "Zero ablation of"],
            never: [
                "corrupted activations", "clean activations", "restore", "corrupted input", "of the total effect",
                "donor", "the total effect is not a bound", "the patched window",
            ]),
        Kind(
            intervention: .mean, direction: "noise", corruption: "none",
            says: ["mean ablation", "Mean ablation of", "the mean activations over all images", "the clean pass"],
            never: ["corrupted activations", "restore", "of the total effect", "donor", "by &quot;none&quot;"]),
        Kind(
            intervention: .resample, direction: "restore", corruption: "grayscale",
            says: ["resample ablation in the corrupted pass", "another image", "p corrupted"],
            never: ["corrupted activations", "of the total effect", "donor", "There is no corrupted pass"]),
        Kind(
            intervention: .donor, direction: "restore", corruption: "none",
            says: ["donor patching", "Donor patching of", "the donor other-vit", "the clean pass"],
            never: [
                "corrupted activations", "corrupted inputs", "of the total effect", "ablation",
                "the total effect is not a bound", "the patched window",
            ]),
    ]

    @Test(arguments: kinds) func wordsAreTrue(_ kind: Kind) throws {
        let patches = (0..<4).map { patch($0, kind.direction) }
        var manifest = testManifest(patches: patches, corruptions: [kind.corruption])
        let with =
            [Intervention.zero, .mean, .resample].contains(kind.intervention) ? kind.intervention.rawValue : "clean"
        manifest.spec = #"{"direction":["\#(kind.direction)"],"patchWith":"\#(with)"}"#
        if kind.intervention == .donor { (manifest.donor, manifest.donorHash) = ("models/other-vit", "1234") }
        let temporary = try TemporaryStore(manifest)
        var random = SplitMix64(seed: 5)
        for index in 0..<24 {
            func pass(_ p: Float) -> PassMetrics {
                PassMetrics(
                    p: p, logit: p, logitDiff: p, kl: 1 - p, prediction: p > 0.5 ? 0 : 1)
            }
            let clean = Float.random(in: 0.6...0.9, using: &random)
            let corrupted = kind.corruption == "none" ? clean : clean - .random(in: 0.2...0.4, using: &random)
            try temporary.store.append(
                images: [image(index, clean: pass(clean), corrupted: pass(corrupted))],
                effects: patches.indices.map {
                    let base = kind.direction == "noise" ? clean : corrupted
                    let change = Float($0) * .random(in: 0.01...0.03, using: &random)
                    return EffectRecord(
                        image: index, corruption: 0, patch: $0,
                        patched: pass(base + (kind.direction == "noise" ? -change : change)))
                })
        }
        let found = try statistics(of: temporary.store)[0]
        #expect(found.patches.allSatisfy { $0.intervention == kind.intervention })
        #expect(found.patches.allSatisfy { $0.p.recovered.isFinite == kind.intervention.exchangesPasses })
        let text = try summaryText(store: temporary.store)
        let page = try ReportPage(store: temporary.store, images: nil)
        // Without the method's definitions and references, which also name other kinds
        let html = page.html().components(separatedBy: "<section id=\"method\">")[0]
        let captions = page.figures.map { "\($0.title). \($0.caption)" }.joined(separator: "\n")
        for words in kind.says.filter({ $0 != "recovered" && $0 != "total effect" }) {
            let isThere = html.contains(escaped(words))
            #expect(isThere, "page: \(words)")
        }
        #expect(text.contains(kind.says[0]) && captions.contains(kind.says[0]), "\(text)")
        #expect(text.contains("patching      \(InterventionWords(manifest, direction: kind.direction).definition)"))
        for words in kind.never {
            for (name, content) in [("page", html), ("summary", text), ("captions", captions)] {
                let isThere = content.contains(escaped(words))
                #expect(!isThere, "\(name): \(words)")
            }
        }
        #expect(html.contains("of the total effect") == kind.intervention.exchangesPasses)
        #expect(summaryData([found], manifest: manifest, format: .csv).contains(",\(kind.intervention.rawValue),"))
    }

    /// Captions about windows compare sizes, so that they hold for losses too.
    @Test(arguments: ["restore", "noise"]) func windowCaptionsCompareSizes(direction: String) throws {
        let patches = ["1", "3"].flatMap { window in (0..<3).map { patch($0, direction, window: window) } }
        let temporary = try TemporaryStore(testManifest(patches: patches))
        func pass(_ p: Float) -> PassMetrics { PassMetrics(p: p, logit: p, logitDiff: p, kl: 0, prediction: 0) }
        for index in 0..<8 {
            try temporary.store.append(
                images: [image(index, clean: pass(0.75), corrupted: pass(0.25))],
                effects: patches.indices.map {
                    EffectRecord(image: index, corruption: 0, patch: $0, patched: pass(0.5 + Float($0) / 64))
                })
        }
        let captions = try ReportPage(store: temporary.store, images: nil).figures
        let sums = try #require(captions.first { $0.name.hasPrefix("window-sums") })
        #expect(sums.caption.contains("larger, in size, than the sum") && !sums.caption.contains("above"))
        let layers = try #require(captions.first { $0.name.hasPrefix("effect-by-layer") })
        #expect(layers.caption.contains("by the centre of the patched window"))
    }

    /// A point is filled only if its own effect on p is significant. Panels of untested values have no filled points.
    @Test func oneRuleForFilledPoints() throws {
        let folder = try TemporaryFolder()
        let store = try Synthetic.layers.store(folder: folder.path, images: 12, seed: 2)
        let found = try statistics(of: store)[0]
        let page = try ReportPage(store: store, images: nil)
        func circles(_ panel: Panel, _ style: String) -> Int {
            panel.body.components(separatedBy: "<circle class=\"\(style)").count - 1
        }
        for figure in page.figures {
            for panel in figure.panels where figure.name.hasPrefix("metrics") || figure.name.hasPrefix("classes") {
                let tested = figure.name.hasPrefix("metrics") && panel.label.hasPrefix("probability")
                #expect((circles(panel, "d") + circles(panel, "o") > 0) == tested, "\(figure.name): \(panel.label)")
            }
        }
        let layers = page.figures.filter { $0.name.hasPrefix("effect-by-layer") }
        #expect(
            layers.flatMap(\.panels).reduce(0) { $0 + circles($1, "d") } == found.patches.count(where: \.isSignificant))
        #expect(layers.allSatisfy { figure in figure.legend.contains { $0.text == LegendItem.significance[0].text } })
    }

    /// All of resid_post recovers everything; it is labelled, and never listed as strongest.
    @Test func byConstruction() throws {
        let patches = (0..<3).map { patch($0) } + (0..<3).map { patch($0, site: "resid_post") }
        let temporary = try TemporaryStore(testManifest(patches: patches))
        for index in 0..<24 {
            func pass(_ p: Float) -> PassMetrics { PassMetrics(p: p, logit: p, logitDiff: p, kl: 1 - p, prediction: 0) }
            try temporary.store.append(
                images: [image(index, clean: pass(0.9), corrupted: pass(0.4))],
                effects: patches.indices.map {
                    EffectRecord(
                        image: index, corruption: 0, patch: $0,
                        patched: pass($0 < 3 ? 0.4 + 0.01 * Float($0 + index % 5) : 0.9))
                })
        }
        let found = try statistics(of: temporary.store)[0]
        #expect(found.strongest("restore")?.record.short == "attn_out L2" && found.direction("restore")?.family == 3)
        let text = try summaryText(store: temporary.store)
        #expect(
            text.contains("denoising resid_post")
                && text.contains("every place is the other pass by construction: +0.500"))
        #expect(text.contains("denoising: attn_out L2"))
        let html = try ReportPage(store: temporary.store, images: nil).html()
        #expect(
            html.contains("the strongest place is attn_out L2")
                && html.contains("3 places recover everything or nothing"))
        #expect(html.contains("the other pass, by construction") && !html.contains("chosen by resid_post"))
    }

    /// Sufficient but not necessary: there is a backup.
    @Test func bothDirections() throws {
        let patches = ["restore", "noise"].flatMap { direction in (0..<2).map { patch($0, direction) } }
        let temporary = try TemporaryStore(testManifest(patches: patches))
        for index in 0..<24 {
            func pass(_ p: Float) -> PassMetrics { PassMetrics(p: p, logit: p, logitDiff: p, kl: 1 - p, prediction: 0) }
            let luck = Float(index % 7 - 3) / 100
            let p: [Float] = [0.6 + luck, 0.7 + luck, 0.9 + luck, 0.6 + luck]
            try temporary.store.append(
                images: [image(index, clean: pass(0.9), corrupted: pass(0.4))],
                effects: p.enumerated().map {
                    EffectRecord(image: index, corruption: 0, patch: $0, patched: pass($1))
                })
        }
        let pairs = DirectionPair.all(try statistics(of: temporary.store)[0])
        #expect(pairs.map(\.denoising.record.layer) == ["1", "0"] && pairs.map(\.isBackedUp) == [false, true])
        let text = try summaryText(store: temporary.store)
        #expect(text.contains("39.5%") && text.contains("backed up"), "\(text)")
        let page = try ReportPage(store: temporary.store, images: nil)
        let figure = try #require(page.figures.first { $0.name == "both-directions" })
        #expect(figure.table?.csv.contains("backed_up") == true && figure.caption.contains("1 place of 2 is backed up"))
    }

    /// Groups of --groups appear in the report, with all patches in the table.
    @Test func groupsInTheReport() throws {
        let folder = try TemporaryFolder()
        let store = try Synthetic.heads.store(folder: folder.path, images: 24, seed: 2)
        try store.setGroups([
            ImageGroups(
                column: "sex", values: Dictionary(uniqueKeysWithValues: (0..<24).map { ($0, $0 % 2 == 0 ? "f" : "m") }))
        ])
        let page = try ReportPage(store: store, images: nil)
        let figure = try #require(page.figures.first { $0.name == "groups-sex" })
        #expect(figure.table?.rows.count == 2 * (1 + 144))
        let statistics = try groupStatistics(of: store, by: store.groups()[0])[0]
        let csv = try #require(figure.table?.csv)
        for row in statistics.rows {
            for value in row.values { #expect(csv.contains(",\(value.n),\(value.effect.mean),")) }
        }
        #expect(page.html().contains("<section id=\"groups\">") && page.html().contains("Effect on p by sex"))
    }

    @Test func boundsAndShortNames() {
        #expect(pText(0.0001, isFloor: true) == "≤ 0.0001" && pText(1.0 / 128, isFloor: true) == "≤ 0.008")
        #expect(pPhrase(0.04) == "= 0.040" && pPhrase(1e-4) == "< 0.001" && pText(.nan) == "–")
        #expect(
            patch(5, site: "z", head: "2").short == "z L5H2" && patch(5, window: "3").short == "attn_out L5, window 3")
        #expect(
            patch(5, token: "0").short == "attn_out L5 CLS" && patch(5, token: "17").short == "attn_out L5 token 17")
        #expect(
            SampleWords.warning(images: 5)?.contains("no intervals") == true && SampleWords.warning(images: 20) == nil)
        var rare = EffectStatistics.none
        (rare.low, rare.high, rare.carriers) = (0.1, 0.2, 3)
        #expect(SampleWords.warning(rare)?.hasPrefix("about 3 images") == true)
    }
}
