import Foundation
import FoundationXML
import Results
import Statistics
import StoreTestSupport
import TestSupport
import Testing
@testable import Report

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
