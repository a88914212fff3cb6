import Foundation
import Results
@testable import Statistics
import StoreTestSupport
import TestSupport
import Testing

@testable import Report

/// Reports of sweeps with estimates: some, all or no patches have exact passes, on some or all images.
@Suite struct EstimateTests {
    enum Case: String, CaseIterable, Sendable, CustomTestStringConvertible {
        case heads, layers, tokens, headTokens, neurons, someNeurons, someImages, doses
        var testDescription: String { rawValue }

        var patches: [PatchRecord] {
            switch self {
            case .heads: (0..<12).flatMap { layer in (0..<12).map { patch(layer, site: "z", head: "\($0)") } }
            case .layers, .someImages:
                ["restore", "noise"].flatMap { direction in
                    ["1", "3"].flatMap { window in (0..<6).map { patch($0, direction, window: window) } }
                }
            case .tokens:
                (0..<2).flatMap { layer in (0..<17).map { patch(layer, site: "resid_post", token: "\($0)") } }
            case .headTokens:
                (0..<2).flatMap { layer in
                    (0..<3).flatMap { head in
                        (0..<17).map { patch(layer, site: "z", head: "\(head)", token: "\($0)") }
                    }
                }
            case .neurons, .someNeurons:
                (0..<20).flatMap { neuron in (0..<3).map { patch($0, site: "mlp_act[\(neuron)]") } }
            case .doses: (0..<6).map { patch($0) }
            }
        }
        var exact: String? {
            switch self {
            case .heads: "top:20,random:30"
            case .someNeurons: "top:8,random:7"
            case .tokens, .headTokens, .neurons: "none"
            case .layers, .someImages, .doses: nil
            }
        }
        var exactImages: Int? { self == .someImages ? 15 : nil }
        var corruptions: [String] { self == .doses ? ["noise:1", "noise:2"] : ["grayscale"] }
    }

    /// - Parameter quality: of the estimates; 0 is chance
    static func store(_ what: Case, images: Int = 24, quality: Double = 0.97) throws -> TemporaryStore {
        var random = SplitMix64(seed: 17)
        var manifest = testManifest(patches: what.patches, corruptions: what.corruptions)
        (manifest.exact, manifest.exactImages, manifest.layers) = (what.exact, what.exactImages, 12)
        manifest.estimates = ["atp_log_odds", "ig5_p"]
        let temporary = try TemporaryStore(manifest)
        let count = what.patches.count
        let sizes = (0..<count).map { _ in Double.random(in: -1...1, using: &random) }
        var exact: [ExactPatch]?
        if let text = what.exact {
            let counts = text == "none" ? [] : text.split(separator: ",").map { Int($0.split(separator: ":")[1]) ?? 0 }
            let order = (0..<count).sorted { abs(sizes[$0]) > abs(sizes[$1]) }
            exact =
                counts.isEmpty
                ? []
                : order.prefix(counts[0]).map { ExactPatch(patch: $0, why: .top) }
                    + order.dropFirst(counts[0]).shuffled(using: &random).prefix(counts[1]).map {
                        ExactPatch(patch: $0, why: .random)
                    }
            if counts.count > 0, let exact { try temporary.store.setExactPatches(exact) }
        }
        let measured = exact.map { $0.map(\.patch).sorted() } ?? Array(0..<count)
        func pass(_ odds: Double) -> PassMetrics {
            let p = 1 / (1 + exp(-odds))
            return PassMetrics(
                p: Float(p), logit: Float(odds), logitDiff: Float(odds), kl: Float(1 - p), prediction: p > 0.5 ? 0 : 1,
                logOdds: Float(odds))
        }
        for corruption in what.corruptions.indices {
            for index in 0..<images {
                let clean = Double.random(in: 1...2, using: &random),
                    corrupted = Double.random(in: -2...0, using: &random)
                let own = Double.random(in: 0.5...1.5, using: &random)
                let changes = sizes.map { $0 * own + .random(in: -0.1...0.1, using: &random) }
                let estimates = changes.map { quality * $0 + (1 - quality) * .random(in: -2...2, using: &random) }
                var record = image(index, clean: pass(clean), corrupted: pass(corrupted))
                record.corruption = corruption
                record.exact = what.exactImages.map { index % 2 == 0 && index / 2 < $0 } ?? true
                try temporary.store.append(
                    images: [record],
                    effects: record.exact
                        ? measured.map { number in
                            let base = what.patches[number].direction == "noise" ? clean : corrupted
                            return EffectRecord(
                                image: index, corruption: corruption, patch: number,
                                patched: pass(base + changes[number]))
                        } : [],
                    estimates: manifest.estimates.map { name in
                        EstimateRecord(
                            image: index, corruption: corruption, name: name,
                            values: estimates.map { Float(name == "ig5_p" ? $0 / 5 : $0) })
                    })
            }
        }
        try temporary.store.finish()
        return temporary
    }

    /// Any selection of exact passes gives a summary, data and a page, and estimates are never called effects.
    @Test(arguments: Case.allCases) func everySweepIsShown(_ what: Case) throws {
        let temporary = try Self.store(what)
        let store = temporary.store
        let found = try statistics(of: store)
        let text = try summaryText(store: store, statistics: found, width: 100)
        #expect(text.contains("estimates     atp of log-odds, from the gradient in the receiving pass\n"))
        #expect(
            text.contains(
                "largest \(min(10, found[0].estimates[0].mean.count / unique(what.patches.map(\.direction)).count)) of")
        )
        #expect(!text.contains("nan") && !text.contains("inf"), "\(text)")
        for line in text.split(separator: "\n") where line.contains("atp of log-odds") || line.contains("ig with 5") {
            #expect(!line.contains("effect") || line.contains("exact effects"), "\(line)")
        }
        #expect(text.contains("░"))
        let lines = summaryData(found, manifest: store.manifest, format: .csv).split(separator: "\n")
        #expect(lines.count == 1 + what.patches.count * what.corruptions.count)
        #expect(
            lines[0].hasSuffix(
                "carriers,n_exact,mean_of,variance_ratio,atp_log_odds_mean,atp_log_odds_ci_low,atp_log_odds_ci_high,ig5_p_mean,ig5_p_ci_low,ig5_p_ci_high"
            ))
        let columns = lines[0].split(separator: ",").count
        #expect(lines.allSatisfy { $0.split(separator: ",", omittingEmptySubsequences: false).count == columns })

        let page = try ReportPage(store: store, images: nil)
        let html = page.html()
        #expect(html.contains("An estimate is not measured") && html.contains("Attribution patching"))
        let names = page.figures.map(\.name)
        #expect(Set(names).count == names.count && names.contains { $0.hasPrefix("estimate-atp_log_odds") }, "\(names)")
        for figure in page.figures where figure.name.hasPrefix("estimate") {
            let isBoth = figure.name.hasPrefix("estimate-and-exact")
            #expect(figure.title.contains("effect") == isBoth && figure.title.hasPrefix("Estimates"))
            #expect(figure.title.contains("atp of log-odds") || figure.title.contains("ig with 5 points of p"))
            #expect(isBoth || figure.caption.lowercased().contains("not measured"))
            #expect(figure.isEstimate || isBoth)
            for panel in figure.panels where figure.colourLimit != nil {
                #expect(!panel.body.contains("class=\"p") && !panel.body.contains("class=\"n"))
            }
        }
        let effects = page.figures.filter { !$0.name.hasPrefix("estimate") }
        #expect(
            effects.contains { $0.name.hasPrefix("effect") || $0.name.hasPrefix("strongest") } == (what.exact != "none")
        )
        #expect(names.contains { $0.hasPrefix("estimate-and-exact") } == (what.exact != "none"))
        #expect(html.contains("images that drive them") == [.neurons, .someNeurons].contains(what))
        #expect(names.contains { $0.hasPrefix("estimate-images") } == [.tokens, .headTokens].contains(what))
        #expect(try !groupText(store: store, by: [store.classGroups()]).contains("nan"))
    }

    /// The words of the summary, with its lines joined
    private func words(_ what: Case, quality: Double = 0.97) throws -> String {
        try summaryText(store: Self.store(what, quality: quality).store, width: 100)
            .split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    @Test func aScreenSaysWhatItMayHaveMissed() throws {
        let text = try words(.heads)
        #expect(text.contains("exact passes the 20 with the largest estimates and 30 random ones of 144 patches"))
        #expect(text.contains("beside exact effects on log-odds, 50 places, 24 images: r 1.00"), "\(text)")
        #expect(text.contains("10 of the 10 strongest exact effects are among the 20 largest estimates"))
        #expect(
            text.contains("30 of the 124 patches that the estimates did not choose were drawn at random and measured"))
        #expect(text.contains("None of the 30 exceeds the smallest effect of the 10 strongest chosen patches"))
        #expect(!text.contains("warning: atp of log-odds"))
    }

    @Test func estimatesThatDisagreeComeWithAWarning() throws {
        let temporary = try Self.store(.heads, quality: 0.1)
        let text = try words(.heads, quality: 0.1)
        #expect(
            text.contains("warning: atp of log-odds and exact effects correlate at r = 0."), "\(text)")
        #expect(try ReportPage(store: temporary.store, images: nil).html().contains("do not rank places by it"))
    }

    /// Sites whose effects differ in size correlate when pooled, even if estimates say nothing within a site.
    @Test func aSiteThatDisagreesIsNamed() {
        func agreement(_ r: Double) -> Agreement {
            Agreement(patches: 32, pearson: r, spearman: r, sameSign: 0.9, pooled: r)
        }
        func warning(all: Double, _ sites: [(String, Double)]) -> String? {
            EstimateWords.warning(
                Screening(
                    name: EstimateName("atp_log_odds"), images: 100, all: agreement(all),
                    groups: sites.map {
                        Screening.Group(direction: "restore", site: $0.0, layer: nil, agreement: agreement($0.1))
                    }, recall: nil, missed: nil, pairs: []))
        }
        #expect(warning(all: 0.98, [("z", 0.95), ("q", .nan)]) == nil)
        #expect(
            warning(all: 0.98, [("z", 0.8), ("v", 0.42), ("q", 0.97)])
                == "atp of log-odds and exact effects correlate at r = 0.80 over places of z, 0.42 over places of v, below 0.9: "
                + "do not rank these by it")
        #expect(warning(all: 0.5, [("z", 0.8)])?.hasSuffix("do not rank places by it") == true)
        #expect(
            EstimateWords.agreement(agreement(.nan))
                == "too few or too little spread for a correlation, same sign 90.0%")
    }

    @Test func meansOfSomeImages() throws {
        let temporary = try Self.store(.someImages)
        let text = try summaryText(store: temporary.store, width: 100)
        #expect(text.contains("images        24, 12 of them with exact passes\n"))
        #expect(text.contains(", [95% interval], prediction-powered"))
        let last = try words(.someImages)
        #expect(last.contains("12 images with exact passes and the estimates of 24 are worth"))
        let html = try ReportPage(store: temporary.store, images: nil).html()
        #expect(html.contains("Mean effects are prediction-powered: measured on 12 of the 24 images"))
        // If all images are measured, the last line says how many would have been enough.
        #expect(try words(.layers).suffix(250).contains("with --exact-images 12 the mean effects would have"))
    }

    /// Pictures under token maps and of neurons, as far as they fit.
    @Test func picturesOfImages() throws {
        let png = Data([0x89, 0x50, 0x4E, 0x47])
        let pictures = ExamplePictures(clean: png, corrupted: nil, input: png)
        for (what, mark) in [(Case.headTokens, "<image class="), (.neurons, "<img ")] {
            let store = try Self.store(what).store
            #expect(try ReportPage(store: store, images: { _, _ in pictures }).html().contains(mark))
            #expect(try !ReportPage(store: store, images: { _, _ in nil }).html().contains(mark))
        }
    }
}
