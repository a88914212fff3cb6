import Foundation
import Results
import Statistics
import StoreTestSupport
import TestSupport
import Testing

@testable import Report

/// A sweep's patches beside random places of the same extent.
@Suite struct ControlTests {
    private let seed: UInt64
    private let temporary: TemporaryStore
    /// Effects on p by image, for every patch
    private let effects: [[Double]]
    private static let images = 9

    /// Single layers and windows in both directions, a site without other places, and random places: 40 of 3 layers, 3
    /// of 2.
    init() throws {
        var random = SplitMix64.fresh()
        seed = random.seed
        func place(_ direction: String, _ layer: String, _ window: String, _ extent: String, control: Bool = false)
            -> PatchRecord
        {
            PatchRecord(
                direction: direction, site: "attn_out", layer: layer, head: "", token: "", window: window,
                control: control,
                extent: "attn_out " + extent)
        }
        var patches: [PatchRecord] = []
        for direction in ["restore", "noise"] {
            patches += (0..<4).map { place(direction, "\($0)", "1", "1 layer") }
            patches += (0..<4).map { place(direction, "\($0)", "3", $0 == 0 || $0 == 3 ? "2 layers" : "3 layers") }
        }
        patches.append(
            PatchRecord(
                direction: "restore", site: "embed", layer: "", head: "", token: "", window: "", extent: "embed"))
        for direction in ["restore", "noise"] {
            patches += (0..<40).map { place(direction, "a\($0)", "", "3 layers", control: true) }
            patches += (0..<3).map { place(direction, "b\($0)", "", "2 layers", control: true) }
        }
        var manifest = testManifest(patches: patches)
        manifest.control = 40
        temporary = try TemporaryStore(manifest)
        // Exact in binary, so that stored floats lose nothing.
        let effects = patches.map { patch in
            // Of the windows of 3 layers, one exceeds every random place and one exceeds none.
            let size: Int = patch.window != "3" ? 8 : patch.layer == "1" ? 64 : patch.layer == "2" ? 0 : 8
            return (0..<Self.images).map { _ in
                Double(Int.random(in: 1...16, using: &random) + size) / 512 * (patch.direction == "noise" ? -1 : 1)
            }
        }
        for index in 0..<Self.images {
            func pass(_ p: Double) -> PassMetrics {
                PassMetrics(p: Float(p), logit: 0, logitDiff: Float(p), kl: Float(1 - p), prediction: 0)
            }
            try temporary.store.append(
                images: [image(index, clean: pass(0.75), corrupted: pass(0.25))],
                effects: patches.indices.map {
                    let base = patches[$0].direction == "noise" ? 0.75 : 0.25
                    return EffectRecord(
                        image: index, corruption: 0, patch: $0, patched: pass(base + effects[$0][index]))
                })
        }
        self.effects = effects
    }

    private var patches: [PatchRecord] { temporary.store.manifest.patches }
    private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

    @Test func againstPlainLoops() throws {
        let bootstrap = Bootstrap(resamples: 300, seed: 5)
        let found = try statistics(of: temporary.store, bootstrap: bootstrap)[0]
        #expect(found.patches.map(\.record) == patches.filter { !$0.control })
        for patch in found.patches {
            let isDrawn = patch.record.window == "3"
            let others = patches.indices.filter {
                patches[$0].direction == patch.record.direction && patches[$0].extent == patch.record.extent
                    && patches[$0].control == isDrawn && $0 != patch.patch
            }
            guard !others.isEmpty else {
                #expect(patch.record.site == "embed" && patch.control == nil)
                continue
            }
            let control = try #require(patch.control), sign: Double = patch.record.direction == "noise" ? -1 : 1
            let means = others.map { mean(effects[$0]) }
            #expect(control.places == others.count && control.isDrawn == isDrawn)
            #expect(abs(control.mean - mean(means)) < 1e-12)
            let large = means.count { sign * $0 >= sign * patch.p.mean }
            #expect(control.pValue == Double(1 + large) / Double(1 + others.count), "seed \(seed)")
            // Above the 95th percentile means p <= 0.05, which takes at least 19 places: of 40, one may be as large.
            #expect(control.extremePercentile.isNaN == (others.count < 19))
            if others.count == 40 {
                #expect(control.extremePercentile == means.sorted { sign * $0 < sign * $1 }[38])
                #expect((sign * patch.p.mean > sign * control.extremePercentile) == (control.pValue <= 0.05))
                // The largest of two windows of 3 layers must exceed all 40: 2 / 42.
                #expect(control.own == 2 && control.pMaximum == maximumRankP(own: 2, random: 40, beyond: large))
                #expect(control.isAbove == (large == 0) && control.needed == 38)
            }
            let paired = (0..<Self.images).map { row in
                effects[patch.patch][row] - mean(others.map { effects[$0][row] })
            }
            let wanted = summarise(paired, rows: Self.images, total: nil, columns: 1, bootstrap)[0]
            #expect(
                abs(control.difference.mean - wanted.mean) < 1e-12 && abs(control.difference.low - wanted.low) < 1e-12)
            #expect(abs(control.difference.high - wanted.high) < 1e-12)
        }
        #expect(
            found.patches.filter { $0.control?.isAbove == true }.map(\.record.text) == [
                "restore attn_out layer 1 window 3", "noise attn_out layer 1 window 3",
            ])
        #expect(
            found.controls.map { "\($0.direction) \($0.extent) \($0.isDrawn) \($0.places)" } == [
                "restore attn_out 1 layer false 4", "restore attn_out 2 layers true 3",
                "restore attn_out 3 layers true 40",
                "noise attn_out 1 layer false 4", "noise attn_out 2 layers true 3", "noise attn_out 3 layers true 40",
            ])
        for control in found.controls where control.isDrawn {
            let members = patches.indices.filter {
                patches[$0].control && patches[$0].direction == control.direction
                    && patches[$0].extent == control.extent
            }
            #expect(abs(control.p.mean - mean(members.map { mean(effects[$0]) })) < 1e-12)
        }
    }

    /// All results for the sweep's own patches equal those without random places.
    @Test func notAmongTheSweepsOwn() throws {
        var manifest = temporary.store.manifest
        manifest.patches = Array(manifest.ownPatches)
        manifest.control = 0
        let alone = try TemporaryStore(manifest)
        try alone.store.append(
            images: temporary.store.completeImages(corruption: 0),
            effects: (0..<Self.images).flatMap { row in
                manifest.patches.indices.map { patch in
                    let base = manifest.patches[patch].direction == "noise" ? 0.75 : 0.25
                    let p = Float(base + effects[patch][row])
                    return EffectRecord(
                        image: row, corruption: 0, patch: patch,
                        patched: PassMetrics(p: p, logit: 0, logitDiff: p, kl: 1 - p, prediction: 0))
                }
            })
        let plain = try statistics(of: alone.store)[0]
        var found = try statistics(of: temporary.store)[0]
        #expect(plain.controls.isEmpty)
        found.controls = []
        for index in found.patches.indices { found.patches[index].control = nil }
        #expect("\(found)" == "\(plain)")
        #expect(
            try groupStatistics(of: temporary.store, by: temporary.store.classGroups())
                == groupStatistics(of: alone.store, by: alone.store.classGroups()))
        let (page, plainPage) = (
            try ReportPage(store: temporary.store, images: nil), try ReportPage(store: alone.store, images: nil)
        )
        #expect(
            page.figures.filter { !$0.name.hasPrefix("random-places") }.map(\.drawing.svg)
                == plainPage.figures.map(\.drawing.svg))
        // A sweep with random places can be compared with one without.
        let comparison = try compare(alone.store, temporary.store)
        #expect(comparison.patchesOnlyA + comparison.patchesOnlyB == 0)
        #expect(comparison.corruptions[0].patches.count == plain.patches.count)
        #expect(comparison.corruptions[0].patches.allSatisfy { $0.p.mean == 0 })
    }

    @Test func asDataAndText() throws {
        let found = try statistics(of: temporary.store)
        let lines = summaryData(found, manifest: temporary.store.manifest, format: .csv).split(separator: "\n").map {
            $0.split(separator: ",", omittingEmptySubsequences: false)
        }
        #expect(lines.count == 1 + found[0].patches.count)
        for (line, patch) in zip(lines.dropFirst(), found[0].patches) {
            let fields = zip(summaryColumns, line).filter { $0.0.hasPrefix("control_") }.map { String($0.1) }
            guard let control = patch.control else {
                #expect(fields == Array(repeating: "", count: 8))
                continue
            }
            #expect(
                fields[0] == "\(control.places)" && Double(fields[1]) == control.mean
                    && Double(fields[6]) == control.pValue)
            #expect(Double(fields[3]) == control.difference.mean && Double(fields[5]) == control.difference.high)
        }
        let text = try summaryText(store: temporary.store, width: 80)
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 95 }, "\(text)")
        #expect(text.components(separatedBy: "▲").count == 1 + 2 * 2)  // a heading and a patch, in both directions
        for words in ["\n  all 1 layer         4", "\n  random 2 layers     3  ", "  takes 38\n", "  1 of 2\n"] {
            #expect(text.contains(words), "\(text)")
        }
        #expect(text.contains("mean                     95th percentile") && text.contains("  5th percentile"))
    }

    @Test func onThePage() throws {
        let page = try ReportPage(store: temporary.store, images: nil)
        let html = page.html()
        #expect(html.contains("<section id=\"random-places\">") && html.contains("<a href=\"#random-places\">"))
        #expect(html.contains("86 patches at random places, at most 40 for every size that covers several places"))
        #expect(html.contains("40 random places of attn_out 3 layers have"))
        let figures = page.figures.filter { $0.name.hasPrefix("random-places") }
        #expect(figures.map(\.name) == ["random-places-restore-attn_out", "random-places-noise-attn_out"])
        let found = try statistics(of: temporary.store)[0]
        for figure in figures {
            let table = try #require(figure.table)
            #expect(table.columns.suffix(8).map(\.key) == controlColumns.map(\.key) && table.rows.count == 4)
            for row in table.rows {
                let patch = try #require(
                    found.patches.first {
                        [$0.record.direction, $0.record.layer, $0.record.window] == [0, 2, 3].map { row[$0].data }
                    })
                #expect(row.suffix(8).map(\.data) == controlCells(patch).map(\.data))
                #expect(figure.panels[0].body.contains("\(row[0].data == "noise" ? "\n5th" : "\n95th") percentile: "))
            }
        }
    }
}
