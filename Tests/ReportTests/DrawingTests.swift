import Foundation
import FoundationXML
import Results
import Statistics
import StoreTestSupport
import TestSupport
import Testing
@testable import Report

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
