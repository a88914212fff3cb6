import ArgumentParser
import Foundation
import Results

struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a sweep's results, one row per image and patch, for pandas and the like.")

    @Argument(help: "Results folder of a sweep.")
    var folder: String

    @Option(help: "csv | jsonl | npz")
    var format = "csv"

    @Option(help: "File to write (default: standard output).")
    var to: String?

    func validate() throws {
        if format != "npz", ExportFormat(rawValue: format) == nil {
            throw ValidationError("--format \(format) is unknown; valid are csv, jsonl, npz")
        }
    }

    mutating func run() throws {
        let store = try ResultsStore.open(folder: folder)
        if let format = ExportFormat(rawValue: format) {
            try store.export(format, to: to)
        } else {
            if to == nil, isatty(STDOUT_FILENO) != 0 {
                throw ValidationError("--format npz is binary; name a file with --to")
            }
            try store.exportNPZ(to: to)
        }
    }
}
