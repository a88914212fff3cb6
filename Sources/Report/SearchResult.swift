import Foundation
import Results
import Statistics

/// The result of a greedy search, for the terminal and for other programs.
package struct SearchResult: Codable, Sendable {
    package var version: String, model: String, modelHash: String, data: String, dataHash: String
    /// The file that activations were taken from, and its sha256 (hex)
    package var patchFile: String?, patchFileHash: String?
    package var corruption: String, direction: String, target: String, keep: String
    package var seed: UInt64, samples: Int, until: Double
    package var device: String, gemm: String
    /// Images seen; among those that `--keep` includes, the ones searched on and the ones held out
    package var seen: Int, searched: Int, heldOut: Int
    /// Unreadable images left out; nil if an unreadable image ends the search
    package var skipped: Int?
    package var candidates: Int
    /// How many of the candidates were tried, if estimates chose them; nil: all
    package var screened: Int?
    /// The metric of effects, p | log_odds | logit_diff, and its name in words
    package var metric = "p", metricTitle = "p"
    /// As in `sweep`
    package var foil = "pooled", noiseSD = "image"
    /// Mean metric(clean) - metric(corrupted) on the images searched on and held out
    package var totalEffect: TotalEffect, heldOutTotalEffect: TotalEffect?
    /// share | max | no_gain | exhausted | interrupted
    package var stopped: String
    /// The images on which `ranked` and `random` are measured: held_out | searched
    package var baselines: String
    package var steps: [Step]
    /// The places found, joined into few parts
    package var set: [SetPart]

    private enum CodingKeys: String, CodingKey {
        case version, model, modelHash, data, dataHash, corruption, direction, target, keep, seed, samples, until,
            device
        case gemm, seen, searched, heldOut, candidates, screened, metric, foil, noiseSD = "noiseSd", totalEffect
        case heldOutTotalEffect, stopped, baselines, steps, set, skipped, patchFile, patchFileHash
    }

    package struct Step: Codable, Sendable {
        package var step: Int
        /// The place added, in `export`'s columns
        package var site: String, layer: String, head: String, token: String
        /// The set so far, on the images searched on and on those held out
        package var searched: RecoveredShare, heldOut: RecoveredShare?
        /// The share of the same number of places, those with the largest effects alone; nil if the search was
        /// interrupted
        package var ranked: Double?
        /// The shares of the same number of places in random orders
        package var random: [Double]

        package init(
            step: Int, site: String, layer: String, head: String, token: String, searched: RecoveredShare,
            heldOut: RecoveredShare?, ranked: Double? = nil, random: [Double] = []
        ) {
            (self.step, self.site, self.layer, self.head, self.token) = (step, site, layer, head, token)
            (self.searched, self.heldOut, self.ranked, self.random) = (searched, heldOut, ranked, random)
        }

        package var place: String {
            [(nil, site), ("layer", layer), ("head", head), ("token", token)].filter { !$0.1.isEmpty }
                .map { ($0.0.map { $0 + " " } ?? "") + $0.1 }.joined(separator: " ")
        }
        var randomMean: Double? { random.isEmpty ? nil : random.reduce(0, +) / Double(random.count) }
    }

    /// Layers count from 0; a list that is nil stands for all.
    package struct SetPart: Codable, Sendable {
        package var site: String, layers: [Int], heads: [Int]?, tokens: [Int]?

        package init(site: String, layers: [Int], heads: [Int]?, tokens: [Int]?) {
            (self.site, self.layers, self.heads, self.tokens) = (site, layers, heads, tokens)
        }

        var text: String {
            func list(_ name: String, _ values: [Int]?) -> String {
                guard let values, !values.isEmpty else { return "" }
                return " \(name)\(values.count == 1 ? "" : "s") " + values.map(String.init).joined(separator: "+")
            }
            return site + list("layer", layers) + list("head", heads) + list("token", tokens)
        }
    }

    package init(
        version: String, model: String, modelHash: String, data: String, dataHash: String, corruption: String,
        direction: String, target: String, keep: String, seed: UInt64, samples: Int, until: Double, device: String,
        gemm: String, seen: Int, searched: Int, heldOut: Int, candidates: Int, totalEffect: TotalEffect,
        heldOutTotalEffect: TotalEffect?, stopped: String, baselines: String, steps: [Step], set: [SetPart]
    ) {
        (self.version, self.model, self.modelHash, self.data, self.dataHash) = (
            version, model, modelHash, data, dataHash
        )
        (self.corruption, self.direction, self.target, self.keep) = (corruption, direction, target, keep)
        (self.seed, self.samples, self.until, self.device, self.gemm) = (seed, samples, until, device, gemm)
        (self.seen, self.searched, self.heldOut, self.candidates) = (seen, searched, heldOut, candidates)
        (self.totalEffect, self.heldOutTotalEffect, self.stopped) = (totalEffect, heldOutTotalEffect, stopped)
        (self.baselines, self.steps, self.set) = (baselines, steps, set)
    }
}

// MARK: - For other programs

extension SearchResult {
    /// The columns of `csv`
    package static let columns = [
        "step", "site", "layer", "head", "token", "effect", "share", "ci_low", "ci_high", "held_out_effect",
        "held_out_share", "held_out_ci_low", "held_out_ci_high", "ranked_share", "random_mean", "random_min",
        "random_max",
    ]

    /// One row per step; fields that do not apply are empty.
    package func csv() -> String {
        var out = TableText(.csv)
        out.header(Self.columns)
        func optional(_ name: String, _ value: Double?) {
            if let value { out.field(name, value) } else { out.field(name, "") }
        }
        for step in steps {
            out.beginRow()
            out.field("step", "\(step.step)", first: true)
            for (name, text) in [
                ("site", step.site), ("layer", step.layer), ("head", step.head), ("token", step.token),
            ] {
                out.field(name, text)
            }
            for (prefix, share) in [("", step.searched), ("held_out_", step.heldOut)] {
                optional(prefix + "effect", share?.effect)
                optional(prefix + "share", share?.share)
                optional(prefix + "ci_low", share?.low)
                optional(prefix + "ci_high", share?.high)
            }
            optional("ranked_share", step.ranked)
            optional("random_mean", step.randomMean)
            optional("random_min", step.random.min())
            optional("random_max", step.random.max())
            out.endRow()
        }
        return String(decoding: out.bytes, as: UTF8.self)
    }

    /// Everything, as one object; keys in snake_case.
    package func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        return String(decoding: try encoder.encode(self), as: UTF8.self) + "\n"
    }
}

// MARK: - For the terminal

extension SearchResult {
    /// The search as text, with a table in percent of the total effect. Lines end with a newline.
    package func text(colour: TerminalColour = .none) -> String {
        let terminal = TerminalText(colour: colour)
        var text = ""
        func line(_ line: String = "") { text += line + "\n" }
        func named(_ name: String, _ value: String) { line("  " + padded(name, 14) + printable(value)) }
        func content(_ name: String, _ hash: String) -> String { "\(name) (\(hash.prefix(12)))" }
        named("model", content(model, modelHash))
        named("data", content(data, dataHash))
        var images = "\(searched) searched on, \(heldOut) held out"
        if keep != "all" { images += "; those that are \(keep) among \(seen)" }
        named("images", images)
        named(
            "patches",
            "\(direction), corruption \(corruption), target \(target); \(candidates) places to choose from"
                + (screened.map { ", of which the \($0) with the largest estimated gain (atp) were tried" } ?? ""))
        func total(_ effect: TotalEffect) -> String {
            signed(effect.mean, 3) + (effect.low.isFinite ? " \(intervalText(effect.low, effect.high, 3))" : "")
        }
        if totalEffect.mean.isFinite {
            if let heldOutTotalEffect { named("total effect", "\(metricTitle) \(total(heldOutTotalEffect)) held out") }
            named(heldOutTotalEffect == nil ? "total effect" : "", "\(metricTitle) \(total(totalEffect)) searched on")
        }
        if let warning = SampleWords.warning(images: heldOut > 0 ? min(searched, heldOut) : searched) {
            named("", "warning: \(warning)")
        }
        if heldOut == 0 {
            named("", "warning: no images are held out; shares on the images that chose the places are biased upwards")
        }
        line()
        if !steps.isEmpty { table(terminal, line) }
        line("  " + ending)
        if !set.isEmpty { line("  the set: " + set.map(\.text).joined(separator: ", ")) }
        return text
    }

    private func table(_ terminal: TerminalText, _ line: (String) -> Void) {
        func percent(_ share: Double?) -> String { share.map { $0.isFinite ? fixed(100 * $0, 1) : "-" } ?? "" }
        func interval(_ share: RecoveredShare?) -> String {
            guard let share else { return "" }
            if share.low.isNaN || share.high.isNaN { return paddedLeft(percent(share.share), 6) }
            return paddedLeft(percent(share.share), 6) + " [\(percent(share.low)), \(percent(share.high))]"
        }
        func random(_ step: Step) -> String {
            guard let low = step.random.min(), let high = step.random.max() else { return "" }
            return paddedLeft(percent(step.randomMean), 6) + " (\(percent(low)) to \(percent(high)))"
        }
        let place = max(11, steps.map(\.place.count).max() ?? 0)
        let hasHeldOut = steps.contains { $0.heldOut != nil }, hasBaselines = steps.contains { $0.ranked != nil }
        let best = steps.compactMap(\.headline.share).filter(\.isFinite).max() ?? 0
        line("  " + terminal.bold("percent of the total effect") + terminal.dim("   [95% interval]"))
        var header = "  step  " + padded("place added", place) + "  "
        if hasHeldOut { header += padded(" held out", 22) }
        header += padded(" searched on", hasBaselines ? 22 : 0)
        if hasBaselines { header += paddedLeft("ranked", 6) + "  random (range)" }
        line(trimmed(header))
        for step in steps {
            let values = padded(interval(step.headline), 22)
            var row = "  " + paddedLeft("\(step.step)", 4) + "  " + padded(step.place, place) + "  "
            row += step.headline.share == best ? terminal.bold(values) : values
            if hasHeldOut { row += terminal.dim(padded(step.heldOut == nil ? "" : interval(step.searched), 22)) }
            if hasBaselines { row += paddedLeft(percent(step.ranked), 6) + "  " + terminal.dim(random(step)) }
            line(trimmed(row))
        }
        if hasHeldOut {
            line(
                terminal.dim(
                    "  held out: images not used to choose the places; searched on: images used, so biased upwards"))
        }
        if hasBaselines {
            line(
                terminal.dim(
                    "  ranked: the same number of places, the best alone; random: \(steps[0].random.count) random orders; "
                        + "both on the images \(baselines == "held_out" ? "held out" : "searched on")"))
        }
        if steps.contains(where: { !$0.headline.share.isFinite }) {
            line(terminal.dim("  no shares where the total effect may be zero, as its interval covers 0"))
        }
        line("")
    }

    private func trimmed(_ text: String) -> String {
        var text = text
        while text.last == " " { text.removeLast() }
        return text
    }

    private var ending: String {
        let places = "\(steps.count) of \(candidates) places"
        let on = heldOut > 0 ? " on the images held out" : " on the images searched on"
        let share: String
        if let last = steps.last {
            share =
                last.headline.share.isFinite
                ? "\(percent(last.headline.share)) of the total effect\(on)"
                : "an effect of \(signed(last.headline.effect, 3))\(on)"
        } else {
            share = "nothing of the total effect"
        }
        return switch stopped {
        case "share": "\(share) with \(places); \(percent(until)) was asked for"
        case "max": "\(share) with \(places), as many as asked for"
        case "no_gain": "\(share) with \(places); no other place adds to it on the images searched on"
        case "exhausted": "\(share) with all \(candidates) places"
        default: "interrupted after \(places): \(share)"
        }
    }
}

extension SearchResult.Step {
    /// The share to report: on the images held out, if there are any
    package var headline: RecoveredShare { heldOut ?? searched }
}
