import ArgumentParser
import Foundation
import Report
import Results

struct Summary: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print a sweep's averaged effects with 95% confidence intervals.")

    @Argument(help: "Results folder of a sweep.")
    var folder: String

    @Option(help: "text | csv | json; csv and json have one row per patch with every statistic.")
    var format = "text"

    func validate() throws {
        if format != "text", SummaryFormat(rawValue: format) == nil {
            throw ValidationError("--format \(format) is unknown; valid are text, csv, json")
        }
    }

    mutating func run() throws {
        let store = try ResultsStore.open(folder: folder)
        if let format = SummaryFormat(rawValue: format) {
            Terminal.standardOutput(summaryData(try statistics(of: store), format: format))
        } else {
            Terminal.standardOutput(
                try summaryText(store: store, color: Terminal.isRich(STDOUT_FILENO), width: min(Terminal.width, 100)))
        }
    }
}
