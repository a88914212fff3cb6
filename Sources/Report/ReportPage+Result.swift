import Results
import Statistics

/// The numbers to cite.
extension ReportPage {
    var headline: String {
        guard !sections.isEmpty else {
            return "<section><h2>Result</h2><p>No image is complete yet, so there is nothing to show.</p></section>"
        }
        var out = "<section id=\"result\"><h2>Result</h2>"
        for warning in warnings { out += "<p class=\"warning\">\(escaped(warning))</p>" }
        if sections.count == 1 {
            out += cards(sections[0].statistics)
        } else {
            out += corruptionTable.html() + agreementTable
        }
        // Doses of one corruption would repeat these sentences; their numbers are in the table.
        let told = sections.filter { !doseSpecs.contains($0.statistics.spec) }
        for section in told { out += sentences(section.statistics).map { "<p>\(escaped($0))</p>" }.joined() }
        out += sections.count == 1 ? populations(sections[0].statistics) : ""
        return out + "</section>"
    }

    /// Warnings of too few images, or of too few that carry the effect
    private var warnings: [String] {
        unique(
            sections.flatMap { section -> [String] in
                let s = section.statistics, spec = sections.count > 1 ? "\(s.spec): " : ""
                return [
                    SampleWords.warning(images: s.isPowered ? s.exactImages : s.images).map { spec + $0 },
                    s.spec == "none" ? nil : SampleWords.warning(s.totalP).map { "\(spec)total effect: \($0)" },
                ].compactMap { $0 }
                    + s.directions.compactMap { item in
                        s.strongest(item.direction).flatMap { best in
                            SampleWords.warning(best.p).map { "\(spec)\(best.record.short): \($0)" }
                        }
                    }
            }
        ).map { "Warning: " + $0 + "." }
    }

    private func words(_ s: CorruptionStatistics, _ direction: String) -> InterventionWords {
        InterventionWords(manifest, direction: direction, corruption: s.spec)
    }

    private func cards(_ s: CorruptionStatistics) -> String {
        let isCorrupted = s.spec != "none"
        var cards = [
            ("\(s.images)", s.images == 1 ? "image" : "images"), (shareText(s.accuracyClean), "accuracy, clean"),
        ]
        if isCorrupted { cards.append((shareText(s.accuracyCorrupted), "accuracy, corrupted")) }
        cards.append((number(s.meanPClean, 3), "mean p, clean"))
        if isCorrupted {
            cards.append((number(s.meanPCorrupted, 3), "mean p, corrupted"))
            cards.append((plus(s.totalP.mean, 3), "total effect on p\(bracket(s.totalP, 3))"))
            if s.hasLogOdds {
                cards.append((plus(s[.logOdds].mean, 2), "total effect on log-odds\(bracket(s[.logOdds], 2))"))
            }
        }
        for item in s.directions {
            guard let best = s.strongest(item.direction) else { continue }
            let share = recovered(best, s).map { "; \($0) of the total" } ?? ""
            let sure =
                item.reliability.map {
                    $0.standsOut ? "; in both halves \(shareText($0.sameStrongest))" : "; no single place stands out"
                } ?? ""
            cards.append(
                (
                    plus(best.p.mean, 3),
                    "strongest, \(words(s, item.direction).name): \(best.record.short)\(bracket(best.p, 3))\(share)\(sure)"
                ))
        }
        return "<div class=\"cards\">"
            + cards.map { "<div><b>\(escaped($0.0))</b><span>\(escaped($0.1))</span></div>" }.joined() + "</div>"
    }

    private func bracket(_ effect: EffectStatistics, _ digits: Int) -> String {
        effect.hasInterval ? " [\(plus(effect.low, digits)), \(plus(effect.high, digits))]" : ""
    }

    private var corruptionTable: Table {
        let hasLogOdds = sections.contains { $0.statistics.hasLogOdds }
        var columns = [
            "corruption", "images", "accuracy clean", "accuracy corrupted", "p clean", "p corrupted", "total effect",
        ]
        if hasLogOdds { columns.append("total log-odds") }
        columns += [
            "KL(clean ‖ corrupted)", "p saturated, corrupted", "strongest place", "its effect", "recovered",
            "same in both halves",
        ]
        return Table(
            columns: columns.map { Table.Column($0) },
            rows: sections.flatMap { section in
                let s = section.statistics
                return s.directions.enumerated().map { index, item in
                    let best = s.strongest(item.direction)
                    var row: [Table.Cell] = [
                        Table.Cell(index == 0 ? s.spec : ""), .count(s.images), .share(s.accuracyClean),
                        .share(s.accuracyCorrupted), .value(s.meanPClean, 3), .value(s.meanPCorrupted, 3),
                        Table.Cell(withInterval(s.totalP, 3)),
                    ]
                    if hasLogOdds { row.append(Table.Cell(withInterval(s[.logOdds], 2))) }
                    row += [
                        .value(-s[.kl].mean, 3), .share(s.saturatedCorrupted),
                        Table.Cell(
                            best.map {
                                (s.directions.count > 1 ? words(s, item.direction).name + " " : "") + $0.record.short
                            } ?? "–"),
                        Table.Cell(best.map { withInterval($0.p, 3) } ?? "–"),
                        Table.Cell(best.flatMap { recovered($0, s) == nil ? nil : shareText($0.p.recovered) } ?? "–"),
                        item.reliability.map { .share($0.sameStrongest) } ?? .missing,
                    ]
                    return row
                }
            }, wraps: true)
    }

    /// The agreement of corruptions on which places matter
    private var agreementTable: String {
        let pairs = RankAgreement.all(sections.map(\.statistics))
        guard !pairs.isEmpty else { return "" }
        let table = Table(
            columns: ["patching", "corruption", "and", "places", "rank correlation"].map { Table.Column($0) },
            rows: pairs.map {
                [
                    Table.Cell(InterventionWords(manifest, direction: $0.direction).name), Table.Cell($0.a),
                    Table.Cell($0.b), .count($0.places), .value($0.correlation, 2),
                ]
            })
        return
            "<details><summary>Rank correlation (Spearman) of the places’ mean effects on p between corruptions</summary>"
            + table.html() + "</details>"
    }

    /// Images whose clean pass is right, beside those whose clean pass is wrong
    private func populations(_ s: CorruptionStatistics) -> String {
        guard manifest.keep == "all", let first = s.directions.first, !first.populations.isEmpty else { return "" }
        let isCorrupted = s.spec != "none"
        let best = s.directions.compactMap { s.strongest($0.direction) == nil ? nil : $0 }
        let columns =
            ["clean pass", "images"] + (isCorrupted ? ["total effect on p"] : [])
            + best.map { item in
                "\(words(s, item.direction).name) \(s.strongest(item.direction)?.record.short ?? "")"
            }
        let rows = first.populations.indices.map { index -> [Table.Cell] in
            let population = first.populations[index]
            var row: [Table.Cell] = [
                Table.Cell(population.cleanIsRight ? "right" : "wrong"), .count(population.images),
            ]
            if isCorrupted { row.append(Table.Cell(withInterval(population.total, 3))) }
            row += best.map { item in
                Table.Cell(item.populations[index].strongest.map { withInterval($0, 3) } ?? "–")
            }
            return row
        }
        return "<p>Images whose clean pass is right, and those whose is wrong:</p>"
            + Table(columns: columns.map { Table.Column($0) }, rows: rows).html()
    }

    /// The strongest of the patches that are compared with random places.
    private func strongestLarge(_ s: CorruptionStatistics, _ direction: String) -> (PatchStatistics, ControlComparison)?
    {
        let best = strongest(
            s.patches.filter { $0.record.direction == direction && $0.control?.isDrawn == true })
        return best.flatMap { patch in patch.control.map { (patch, $0) } }
    }

    /// nil where a share has no meaning: the total effect may be zero, or is no bound.
    private func recovered(_ patch: PatchStatistics, _ s: CorruptionStatistics) -> String? {
        guard patch.p.recovered.isFinite, s.totalP.excludesZero else { return nil }
        return
            "\(shareText(patch.p.recovered)) [\(shareText(patch.p.recoveredLow)), \(shareText(patch.p.recoveredHigh))]"
    }

    /// The effects of random places, in words and as a table.
    func controlHTML(_ s: CorruptionStatistics) -> String {
        guard let table = s.controlTable else { return "" }
        return """
            <p>A patch of several places can have an effect because it is large, wherever it is. So it is compared \
            with random places of its extent. “Beyond” counts the patches that go beyond the maximum of as many random \
            places as the sweep has patches of that extent (p ≤ 0.05, exact from ranks), which needs at least 19 \
            random places for each patch. A single place is compared with all others of its extent in the \
            sweep.</p>\(table.html())
            """
    }

    /// The findings of one corruption's sweep: the corruption's own effect, then each direction's strongest place.
    func sentences(_ s: CorruptionStatistics) -> [String] {
        var text = "Over \(counted(s.images, "image")), "
        if s.spec == "none" {
            text +=
                "the accuracy is \(shareText(s.accuracyClean)) and the mean probability of the target \(number(s.meanPClean, 3))."
        } else {
            text +=
                "\(s.spec) takes the accuracy from \(shareText(s.accuracyClean)) to \(shareText(s.accuracyCorrupted)) and the mean "
                + "probability of the target from \(number(s.meanPClean, 3)) to \(number(s.meanPCorrupted, 3)): a total effect of "
                + "\(withInterval(s.totalP, 3))"
            if s.hasLogOdds { text += " on p and \(withInterval(s[.logOdds], 2)) on its log-odds" }
            text += "."
            if s.topTenth.isFinite, s.images >= 10 {
                text +=
                    " The tenth of the images with the largest total effects carries \(shareText(s.topTenth)) of it."
            }
        }
        let powered = s.savings.flatMap { $0.isUsed ? EstimateWords.powered(s, $0) : nil }
        return [text] + [powered].compactMap { $0 } + s.directions.compactMap { finding(s, $0) }
    }

    private func finding(_ s: CorruptionStatistics, _ item: DirectionStatistics) -> String? {
        guard let best = s.strongest(item.direction) else { return nil }
        let words = words(s, item.direction)
        let share = recovered(best, s).map { ", \($0) of the total effect" } ?? ""
        let logOdds = s.hasLogOdds ? " (log-odds \(withInterval(best[.logOdds], 2)))" : ""
        var text =
            "Patching \(words.activations) into \(words.receiver) (\(words.name)), the strongest place is "
            + "\(best.record.short): \(withInterval(best.p, 3))\(logOdds)\(share), positive on \(shareText(best.p.sharePositive)) of the "
            + "images"
        if best.pAdjusted.isFinite {
            text +=
                ", p-value (adjusted over \(item.family)) \(pPhrase(best.pAdjusted, isFloor: s.isFloor(best.pAdjusted, item.direction)))"
        }
        text += "."
        if let sure = ReportWords.reliability(item) { text += " " + sure }
        if let (large, control) = strongestLarge(s, item.direction) {
            text +=
                large.patch == best.patch
                ? " Beside it, "
                : " Of patches that cover several places the strongest is \(large.record.short): \(withInterval(large.p, 3)), where "
            text +=
                "\(control.places) random places of \(large.record.extent) have \(plus(control.mean, 3)) on average; paired "
                + "difference \(withInterval(control.difference, 3)), p-value against them \(pPhrase(control.pValue))"
                + (control.own > 1 ? ", as the largest of \(control.own) \(pPhrase(control.pMaximum))" : "") + "."
        }
        return text
    }
}
