import ArgumentParser
import Foundation
import Report
import Results

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Write a sweep's report: DIR/report.html and DIR/figures/*.svg, with the tables behind them as CSV.")

    @Argument(help: "Results folder of a sweep.")
    var folder: String

    @Flag(help: "The figures as PNG too, by rsvg-convert.")
    var png = false

    mutating func run() throws {
        let files = try writeReport(of: ResultsStore.open(folder: folder), to: folder, png: png)
        Terminal.standardError("\(files.figures.count) figures in \(folder)/figures\n")
        Terminal.standardOutput("\(files.page)\n")
    }
}
