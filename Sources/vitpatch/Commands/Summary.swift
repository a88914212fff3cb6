import ArgumentParser
import Foundation
import Report
import Results
import Spec
import Statistics

struct Summary: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print a sweep's averaged effects with 95% confidence intervals.")

    @Argument(help: "Results folder of a sweep.")
    var folder: String

    @Option(
        help: "\(oneOf(Format.self)); csv and json have one row per patch with every statistic.",
        completion: .choices(Format.self))
    var format = Format.text.rawValue

    enum Format: String, Choice { case text, csv, json }

    @Option(
        help: ArgumentHelp(
            "Effects by class, or by a column of --groups; csv and json then have one row per patch and group.",
            valueName: "column"))
    var by: String?

    @Option(
        help:
            "\(Metric.allCases.map(\.name).joined(separator: " | ")): metric of the effects, in tables and for --top and --sort.",
        completion: .list(Metric.allCases.map(\.name)))
    var metric = Metric.p.name

    @Option(
        help: ArgumentHelp("Only this site, as the sweep names it; repeatable (default: all).", valueName: "site"))
    var site: [String] = []

    @Option(
        help: ArgumentHelp(
            "List this many places with the largest effects, in size, for every corruption and direction.",
            valueName: "count"))
    var top: Int?

    @Option(
        help:
            "\(oneOf(SummarySort.self)): list places by the size of the effect, by the effect with its sign, by the share of images with an effect above 0, or in the sweep's order.",
        completion: .choices(SummarySort.self))
    var sort: String?

    func validate() throws {
        _ = try choice("--format", format, Format.self)
        _ = try shown
        if let top, top < 1 { throw UsageError("--top \(top): expected at least 1") }
        let others: [(String, Bool)] = [
            ("--site", !site.isEmpty), ("--top", top != nil), ("--sort", sort != nil),
            ("--metric", metric != Metric.p.name),
        ]
        if by != nil, let other = others.first(where: \.1) {
            throw UsageError("\(other.0) does not go with --by, which shows effects on p at all places only")
        }
    }

    private var shown: SummaryChoice {
        get throws {
            guard let metric = Metric.allCases.first(where: { $0.name == metric }) else {
                throw UsageError(
                    "--metric \(metric) is unknown; valid are \(Metric.allCases.map(\.name).joined(separator: ", "))")
            }
            let sort = try sort.map { try vitpatch.choice("--sort", $0, SummarySort.self) }
            return SummaryChoice(metric: metric, sites: site, top: top, sort: sort)
        }
    }

    mutating func run() throws {
        let store = try Store.open(folder)
        let groups = try by.map { try grouping($0, store) }
        let shown = try shown, sites = unique(store.manifest.ownPatches.map(\.site))
        if let other = site.first(where: { !sites.contains($0) }) {
            throw UsageError("--site \(other): the sweep has \(sites.joined(separator: ", "))")
        }
        if let format = SummaryFormat(rawValue: format) {
            Terminal.standardOutput(
                try groups.map { groupData(try groupStatistics(of: store, by: $0), format: format) }
                    ?? summaryData(
                        try statistics(of: store), manifest: store.manifest, choice: shown, format: format))
        } else {
            let colour = Terminal.colour
            Terminal.standardOutput(
                try summaryText(store: store, choice: shown, colour: colour, width: min(Terminal.width, 100)))
            // The summary already shows groups that the store has.
            if let groups, try !store.groups().contains(groups) {
                Terminal.standardOutput(try groupText(store: store, by: [groups], colour: colour))
            }
        }
    }

    private func grouping(_ name: String, _ store: ResultsStore) throws -> ImageGroups {
        let known = try store.groups()
        if let groups = known.first(where: { $0.column == name }) { return groups }
        guard name == "class" else {
            throw UsageError(
                "--by \(name): the sweep has \((["class"] + known.map(\.column)).joined(separator: ", "))")
        }
        return try store.classGroups()
    }
}

extension SummarySort: Choice {}
