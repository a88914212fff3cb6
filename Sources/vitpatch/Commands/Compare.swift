import ArgumentParser
import Foundation
import Report
import Results
import Statistics

struct Compare: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The paired difference of two sweeps, B - A, with 95% confidence intervals.",
        discussion: "Images are paired by their id, patches by direction, site, layer, head, token and window.")

    @Argument(help: "Results folder of the first sweep.")
    var a: String

    @Argument(help: "Results folder of the second sweep.")
    var b: String

    @Option(help: "text | csv; csv has one row per patch with every statistic.")
    var format = "text"

    func validate() throws {
        if !["text", "csv"].contains(format) {
            throw ValidationError("--format \(format) is unknown; valid are text, csv")
        }
    }

    mutating func run() throws {
        let comparison = try compare(ResultsStore.open(folder: a), ResultsStore.open(folder: b))
        for item in comparison.corruptions where item.onlyA + item.onlyB > 0 {
            Terminal.warning(
                "\(item.specA): the sweeps share \(counted(item.shared, "image")); \(item.onlyA) only in A and "
                    + "\(item.onlyB) only in B are left out")
        }
        Terminal.standardOutput(
            format == "csv"
                ? comparisonData(comparison)
                : comparisonText(comparison, a: a, b: b, colour: Terminal.colour))
    }
}
