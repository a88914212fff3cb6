import Results
import Statistics

/// One place in both directions: the effect recovered by denoising (sufficiency) beside that lost by noising
/// (necessity).
struct DirectionPair {
    var denoising: PatchStatistics
    var noising: PatchStatistics

    /// Denoising the place recovers some of the answer, noising it loses none: other places back it up.
    var isBackedUp: Bool {
        denoising.p.low > 0 && !(noising.p.high < 0) && denoising.p.recovered > noising.p.recovered
    }

    /// Sorted by denoising effect, the largest first. Empty where passes are not exchanged or one direction is missing.
    static func all(_ statistics: CorruptionStatistics) -> [DirectionPair] {
        func place(_ patch: PatchStatistics) -> [String] { Array(patch.record.place.dropFirst()) }
        let found = statistics.patches.filter { $0.construction == nil }
        let noising = Dictionary(
            found.filter { $0.intervention == .noising }.map { (place($0), $0) }, uniquingKeysWith: { a, _ in a })
        return found.filter { $0.intervention == .denoising && $0.p.mean.isFinite }.compactMap { patch in
            noising[place(patch)].map { DirectionPair(denoising: patch, noising: $0) }
        }.sorted { $0.denoising.p.mean > $1.denoising.p.mean }
    }

    static func table(_ pairs: [DirectionPair]) -> Table {
        let places = placeColumns(pairs.map(\.denoising.record)).filter { $0.0 != "direction" }
        func shares(_ effect: EffectStatistics) -> [Table.Cell] {
            [effect.recovered, effect.recoveredLow, effect.recoveredHigh].map { .share($0) }
        }
        return Table(
            columns: places.map { Table.Column($0.0) } + withLimits("denoising Δp", "denoising_effect_p")
                + withLimits("recovered", "denoising_recovered") + withLimits("noising Δp", "noising_effect_p")
                + withLimits("lost", "noising_recovered") + [Table.Column("backed up", "backed_up")],
            rows: pairs.map { pair in
                var row = places.map { Table.Cell($0.1(pair.denoising.record)) }
                row += cells(pair.denoising.p, 4) + shares(pair.denoising.p)
                row += cells(pair.noising.p, 4) + shares(pair.noising.p)
                row.append(Table.Cell(shown: pair.isBackedUp ? "backed up" : "", data: pair.isBackedUp ? "1" : "0"))
                return row
            })
    }
}

/// How far two corruptions agree on which places matter: Spearman's correlation of the places' mean effects on p.
struct RankAgreement {
    var direction: String
    var a: String, b: String
    var places: Int
    var correlation: Double

    static func all(_ statistics: [CorruptionStatistics]) -> [RankAgreement] {
        let complete = statistics.filter { $0.images > 0 && $0.spec != "none" }
        return complete.indices.flatMap { first in
            complete.indices.dropFirst(first + 1).flatMap { second -> [RankAgreement] in
                let (a, b) = (complete[first], complete[second])
                return a.directions.compactMap { item in
                    let members = a.patches.indices.filter {
                        a.patches[$0].record.direction == item.direction && a.patches[$0].construction == nil
                            && a.patches[$0].p.mean.isFinite && b.patches[$0].p.mean.isFinite
                    }
                    guard members.count > 2 else { return nil }
                    let r = spearman(members.map { a.patches[$0].p.mean }, members.map { b.patches[$0].p.mean })
                    return RankAgreement(
                        direction: item.direction, a: a.spec, b: b.spec, places: members.count, correlation: r)
                }
            }
        }
    }
}
