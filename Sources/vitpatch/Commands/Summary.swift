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

    func validate() throws {
        _ = try choice("--format", format, Format.self)
    }

    mutating func run() throws {
        let store = try Store.open(folder)
        let groups = try by.map { try grouping($0, store) }
        if let format = SummaryFormat(rawValue: format) {
            Terminal.standardOutput(
                try groups.map { groupData(try groupStatistics(of: store, by: $0), format: format) }
                    ?? summaryData(try statistics(of: store), manifest: store.manifest, format: format))
        } else {
            let colour = Terminal.colour
            Terminal.standardOutput(try summaryText(store: store, colour: colour, width: min(Terminal.width, 100)))
            // Columns of the file are in the summary anyway.
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
