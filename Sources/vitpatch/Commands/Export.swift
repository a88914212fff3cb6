import ArgumentParser
import Results

struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a sweep's results, one row per image and patch, for pandas and the like.")

    @Argument(help: "Results folder of a sweep.")
    var folder: String

    @Option(help: "csv | jsonl | npz")
    var format: String

    @Option(help: "File to write (default: standard output).")
    var to: String?

    func validate() throws {
        if format == "npz" { throw ValidationError("--format npz is not built yet") }
        if ExportFormat(rawValue: format) == nil {
            throw ValidationError("--format \(format) is unknown; valid are csv, jsonl, npz")
        }
    }

    mutating func run() throws {
        guard let format = ExportFormat(rawValue: format) else { return }
        try ResultsStore.open(folder: folder).export(format, to: to)
    }
}
