import Foundation
import Results
import Statistics
import StoreTestSupport
import Testing

@testable import Report

/// Only p matters here; the logit difference is 4 p.
private func pass(_ p: Float, _ prediction: Int) -> PassMetrics {
    PassMetrics(p: p, logit: p, logitDiff: 4 * p, kl: 1 - p, prediction: prediction)
}

/// A store with effects `effect(patch, image)` on passes with p = 0.75 and 0.25 (all exact in binary).
private func store(
    _ patches: [PatchRecord], images: Int = 8, effect: (PatchRecord, Int) -> Float
) throws -> TemporaryStore {
    let temporary = try TemporaryStore(testManifest(patches: patches))
    for index in 0..<images {
        try temporary.store.append(
            images: [image(index, clean: pass(0.75, 0), corrupted: pass(0.25, index % 4 == 0 ? 0 : 1))],
            effects: patches.enumerated().map { number, patch in
                let p = (patch.direction == "noise" ? 0.75 : 0.25) + effect(patch, index)
                return EffectRecord(image: index, corruption: 0, patch: number, patched: pass(p, p > 0.5 ? 0 : 1))
            })
    }
    return temporary
}

/// Without colours and without spaces at the ends of lines.
private func plainText(_ text: String) -> String {
    text.replacing(/\u{1B}\[[0-9;]*m/, with: "").replacing(#/ +(?=\n)/#, with: "")
}

@Suite struct SummaryTests {
    @Test func layersByWindows() throws {
        let patches = ["restore", "noise"].flatMap { direction in
            ["1", "3"].flatMap { window in (0..<3).map { patch($0, direction, window: window) } }
        }
        let temporary = try store(patches) { patch, _ in
            let size: Float = patch.layer == "1" ? 0.375 : patch.layer == "0" ? 0.125 : -0.03125
            return (patch.direction == "noise" ? -1 : 1) * size / (patch.window == "1" ? 2 : 1)
        }
        try temporary.store.finish()
        let text = try summaryText(store: temporary.store, width: 80)
        #expect(
            text == """
                  model         models/tiny (aa11bb22cc33)
                  data          images (ff0011223344)
                  patching      denoising: clean activations are patched into the corrupted pass
                  patching      noising: corrupted activations are patched into the clean pass
                  target        label; p is its probability
                  device        some device

                corruption grayscale
                  images        8
                                warning: 8 images are few: intervals of skewed or rare effects are too narrow
                  accuracy      clean 100.0%   corrupted 25.0%
                                best patched 100.0% (attn_out L1, window 3)
                  mean p        clean 0.750   corrupted 0.250
                  total effect  p +0.500 [+0.500, +0.500]
                                logit diff +2.00 [+2.00, +2.00]

                  denoising attn_out   mean p patched - p corrupted, [95% interval]
                  layer  window 1                           window 3
                      0  +0.062 [+0.062, +0.062]  █         +0.125 [+0.125, +0.125]  ██
                      1  +0.188 [+0.188, +0.188]  ███       +0.375 [+0.375, +0.375]  ██████ ◀
                      2  -0.016 [-0.016, -0.016] ▐          -0.031 [-0.031, -0.031] ▐
                  the strongest recovers 75.0% of p, 75.0% of logit diff; accuracy 100.0%

                  noising attn_out   mean p patched - p clean, [95% interval]
                  layer  window 1                           window 3
                      0  -0.062 [-0.062, -0.062]      █     -0.125 [-0.125, -0.125]     ██
                      1  -0.188 [-0.188, -0.188]    ███     -0.375 [-0.375, -0.375] ██████  ◀
                      2  +0.016 [+0.016, +0.016]       ▎    +0.031 [+0.031, +0.031]       ▌
                  the strongest takes away 75.0% of p, 75.0% of logit diff; accuracy 0.0%

                  both directions   share of the total effect on p
                  place                   denoising     noising
                  attn_out L1, window 3       75.0%       75.0%
                  attn_out L1                 37.5%       37.5%
                  attn_out L0, window 3       25.0%       25.0%
                  attn_out L0                 12.5%       12.5%
                  attn_out L2                 -3.1%       -3.1%

                """, "\(text)")
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 95 })
    }

    @Test func headsAsAGridAndAList() throws {
        let patches = (0..<2).flatMap { layer in (0..<12).map { patch(layer, site: "z", head: "\($0)") } }
        let temporary = try store(patches) { patch, image in
            if patch.layer == "1", patch.head == "7" { return 0.25 }
            return patch.head == "2" ? -0.015625 : image % 2 == 0 ? 0.001 : -0.001
        }
        let text = try summaryText(store: temporary.store, width: 80)
        #expect(text.contains("state         not finished; sweep --resume continues it"))
        #expect(text.contains("  denoising z   mean p patched - p corrupted"))
        #expect(text.contains("      1   .000  .000 -.016  .000  .000  .000  .000█+.250  .000  .000  .000  .000\n"))
        #expect(text.contains("\n      1     7  +0.250 [+0.250, +0.250]   ██"))
        #expect(text.contains("strongest 5 of 24"))
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 95 }, "\(text)")
        // 12 heads do not fit 60 columns: two grids, each number once.
        let narrow = try summaryText(store: temporary.store, width: 60)
        #expect(narrow.contains("\n          head\n  layer      6"))
        #expect(narrow.components(separatedBy: "+.250").count == 2)
    }

    @Test func tokensAsAList() throws {
        let patches = (0..<3).flatMap { layer in
            (0..<10).map { patch(layer, site: "resid_post", token: "\($0)") }
        }
        let temporary = try store(patches) { patch, _ in patch.layer == "2" && patch.token == "0" ? 0.5 : 0.0625 }
        let text = try summaryText(store: temporary.store)
        #expect(text.contains("  layer  token  strongest 10 of 30\n      2      0  +0.500 ["))
        #expect(text.contains("the strongest recovers 100.0% of p, "))
    }

    @Test func colourOnlyOnRequest() throws {
        let temporary = try store([patch(0), patch(1)]) { patch, _ in patch.layer == "0" ? 0.25 : -0.125 }
        let plain = try summaryText(store: temporary.store)
        #expect(!plain.contains("\u{1B}"))
        for colour in [TerminalColour.basic, .palette, .full] {
            let text = try summaryText(store: temporary.store, colour: colour)
            #expect(text.contains("\u{1B}[") && plainText(text) == plain)
        }
    }

    /// The map's background colours: the report's dark colours, or their nearest of 256; zero in the middle, the
    /// largest effect at the end. The numbers equal those of the map without colour.
    @Test(arguments: [TerminalColour.full, .palette])
    func headsAsAHeatMap(_ colour: TerminalColour) throws {
        let effects: [Float] = [0.25, -0.25, 0, 0.125, -0.125, 0.0625]
        let temporary = try store((0..<6).map { patch(0, site: "z", head: "\($0)") }) { patch, _ in
            effects[Int(patch.head) ?? 0]
        }
        let text = try summaryText(store: temporary.store, colour: colour)
        let row = try #require(text.split(separator: "\n").first { plainText(String($0)).hasPrefix("      0  ") })
        let grounds = row.matches(of: try Regex("48;(2;[0-9]+;[0-9]+;[0-9]+|5;[0-9]+)m")).map {
            String($0.output[1].substring ?? "")
        }
        #expect(
            grounds
                == (colour == .full
                    ? ["2;169;220;255", "2;255;201;138", "2;37;40;45", "2;42;114;184", "2;180;96;26", "2;44;76;111"]
                    : ["5;153", "5;222", "5;235", "5;25", "5;130", "5;24"]),
            "\(grounds)")
        // Six cells of seven columns, the largest in bold.
        #expect(plainText(String(row)) == "      0   +.250  -.250   .000  +.125  -.125  +.062")
        #expect(row.contains("\u{1B}[1;38;"))
        let legend = try #require(
            text.split(separator: "\n").first { plainText(String($0)).hasPrefix("        -0.250 ") })
        #expect(plainText(String(legend)) == "        -0.250 " + String(repeating: " ", count: 33) + " +0.250")
        #expect(legend.components(separatedBy: "\u{1B}[48;").count == 34)
    }

    /// With eight colours or none: shades before the numbers.
    @Test func headsAsShades() throws {
        let effects: [Float] = [0.25, -0.25, 0, 0.125, -0.125, 0.0625]
        let temporary = try store((0..<6).map { patch(0, site: "z", head: "\($0)") }) { patch, _ in
            effects[Int(patch.head) ?? 0]
        }
        let plain = try summaryText(store: temporary.store)
        #expect(plain.contains("\n      0  █+.250 █-.250   .000 ▒+.125 ▒-.125 ░+.062\n"), "\(plain)")
        #expect(plain.contains("\n        about ░ 0.062  ▒ 0.125  ▓ 0.188  █ 0.250, of either sign\n"))
        let basic = try summaryText(store: temporary.store, colour: .basic)
        #expect(plainText(basic) == plain)
        #expect(basic.contains("\u{1B}[33m ▒-.125") && basic.contains("\u{1B}[34m ▒+.125"))
        #expect(!basic.contains(";5;") && !basic.contains(";2;"))
    }

    /// Log-odds are shown beside p if the store has them: in the totals, the shares, the table and the page's columns.
    @Test func logOddsWherePresent() throws {
        let temporary = try store([patch(0), patch(1)]) { patch, _ in patch.layer == "0" ? 0.25 : -0.125 }
        var found = try statistics(of: temporary.store)
        let none = try summaryText(store: temporary.store, statistics: found)
        let columns = patchTable(found[0].patches, found[0]).columns.map(\.key)
        if !found[0].hasLogOdds { #expect(!none.contains("log-odds") && !columns.contains("effect_log_odds")) }
        func effect(_ mean: Double) -> EffectStatistics {
            var effect = EffectStatistics.none
            (effect.mean, effect.low, effect.high) = (mean, mean - 1, mean + 1)
            (effect.median, effect.sharePositive, effect.recovered) = (mean, 1, mean / 8)
            return effect
        }
        found[0].totals[Metric.logOdds.rawValue] = effect(8)
        for index in 0..<2 { found[0].patches[index].effects[Metric.logOdds.rawValue] = effect(6) }
        let text = try summaryText(store: temporary.store, statistics: found)
        #expect(text.contains("   log-odds +8.00 [+7.00, +9.00]\n") && text.contains("50.0% of p, 75.0% of log-odds, "))
        let table = patchTable(found[0].patches, found[0])
        let column = try #require(table.columns.firstIndex { $0.key == "effect_log_odds" })
        #expect(table.rows[0][column].data == "6.0")
        #expect(
            summaryData(found, manifest: temporary.store.manifest, format: .csv).contains(",6.0,5.0,7.0,6.0,1.0,0.75,"))
    }

    @Test func anEmptyStore() throws {
        let temporary = try store([patch(0)], images: 0) { _, _ in 0 }
        let text = try summaryText(store: temporary.store)
        #expect(text.contains("images        0\n") && !text.contains("accuracy"))
        let found = try statistics(of: temporary.store)
        #expect(
            summaryData(found, manifest: temporary.store.manifest, format: .csv).contains(
                "grayscale,restore,attn_out,0,,,1,0,nan,nan,"))
    }

    /// A set of layers has no window: it gets its own column, and no empty row beside windows.
    @Test func setsOfLayersBesideWindows() throws {
        let set = PatchRecord(direction: "restore", site: "attn_out", layer: "0+5", head: "", token: "", window: "")
        let temporary = try store([patch(0), patch(0, window: "3"), patch(0, window: "5"), set]) { _, _ in 0.25 }
        let text = try summaryText(store: temporary.store, width: 80)
        #expect(text.contains("\n  layer  window 5                           sets of layers\n"), "\(text)")
        let rows = text.split(separator: "\n").filter { $0.hasPrefix("    0+5") }
        #expect(rows.count == 1 && rows[0].contains("+0.250"), "\(text)")
    }

    @Test func dataForOtherPrograms() throws {
        let temporary = try store([patch(0), patch(5, "noise", site: "z", head: "0+1", window: "")]) { patch, _ in
            patch.direction == "noise" ? -0.125 : 0.25
        }
        let found = try statistics(of: temporary.store)
        let lines = summaryData(found, manifest: temporary.store.manifest, format: .csv).split(separator: "\n")
        #expect(lines[0] == summaryColumns.joined(separator: ","))
        #expect(
            summaryColumns.prefix(14).joined(separator: ",") == """
                corruption,direction,site,layer,head,token,window,n,mean_effect,ci_low,ci_high,median,share_positive,recovered
                """)
        #expect(Set(summaryColumns).count == summaryColumns.count)
        func row(_ index: Int) -> [String: String] {
            let fields = lines[index].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            #expect(fields.count == summaryColumns.count)
            return Dictionary(zip(summaryColumns, fields)) { a, _ in a }
        }
        let wanted: [[String: String]] = [
            [
                "direction": "restore", "site": "attn_out", "layer": "0", "window": "1", "n": "8",
                "mean_effect": "0.25",
                "ci_low": "0.25", "ci_high": "0.25", "recovered": "0.5", "recovered_ci_low": "0.5",
                "logit_diff_mean_effect": "1.0", "kl_mean_effect": "-0.25", "kl_recovered": "0.3333333333333333",
                "accuracy_patched": "0.0", "accuracy_clean": "1.0", "accuracy_corrupted": "0.25", "total_effect": "0.5",
                "p_value": "0.0078125", "p_adjusted": "0.0078125", "control_places": "", "control_p_maximum": "",
                "intervention": "denoising", "by_construction": "", "carriers": "8.0",
            ],
            [
                "direction": "noise", "site": "z", "layer": "5", "head": "0+1", "token": "", "mean_effect": "-0.125",
                "recovered": "0.25", "kl_mean_effect": "0.375", "intervention": "noising",
            ],
        ]
        for (index, wanted) in wanted.enumerated() {
            let row = row(index + 1)
            for (key, value) in wanted { #expect(row[key] == value, "\(key)") }
        }
        let json = try JSONSerialization.jsonObject(
            with: Data(summaryData(found, manifest: temporary.store.manifest, format: .json).utf8))
        let rows = try #require(json as? [[String: Any]])
        #expect(rows.count == 2 && rows.allSatisfy { Set($0.keys) == Set(summaryColumns) })
        #expect(rows[1]["mean_effect"] as? Double == -0.125 && rows[1]["token"] is NSNull)
    }
}

@Suite struct BarTests {
    @Test func oneZeroLineForBothSigns() {
        let bars = BarScale([-0.5, 1], width: 6)
        #expect(bars.left == 2 && bars.right == 4)
        #expect(bars.bar(1) == ("  ", "████"))
        #expect(bars.bar(-0.5) == ("██", "    "))
        #expect(bars.bar(-0.125) == (" ▐", "    "))
        #expect(bars.bar(0.15625) == ("  ", "▋   "))
        #expect(bars.bar(.nan) == ("  ", "    "))
    }

    @Test(
        arguments: [
            [], [0], [-1], [1e-40, 0], [-1e-45], [.nan, .infinity], [1e38, -1e38], [-.infinity, 3],
        ] as [[Double]])
    func anyValues(values: [Double]) {
        for width in 1...9 {
            let bars = BarScale(values, width: width)
            for value in values {
                let (left, right) = bars.bar(value)
                #expect(left.count == bars.left && right.count == bars.right && left.count + right.count == width)
            }
        }
    }

    @Test func numbers() {
        #expect(signed(0.4321, 3) == "+0.432" && signed(-0.0001, 3) == " 0.000" && signed(.nan, 3) == "nan")
        #expect(decimals(for: [0.5, 0.01]) == 3 && decimals(for: [0.005]) == 5 && decimals(for: [1e-9]) == 6)
        #expect(decimals(for: []) == 3 && decimals(for: [.nan]) == 3)
    }
}
