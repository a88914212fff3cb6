import ArgumentParser
import Foundation
import Results
import Spec

struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a sweep's results, one row per image and patch, for pandas and the like.")

    @Argument(help: "Results folder of a sweep.")
    var folder: String

    @Option(help: "\(oneOf(Format.self)).", completion: .choices(Format.self))
    var format: String

    @Option(help: ArgumentHelp("File to write (default: standard output).", valueName: "file"), completion: .file())
    var to: String?

    enum Format: String, Choice { case csv, jsonl, npz }

    func validate() throws {
        _ = try choice("--format", format, Format.self)
        try OptionText.check("--to", name: to)
    }

    mutating func run() throws {
        let store = try Store.open(folder), isTerminal = to == nil && isatty(STDOUT_FILENO) != 0
        guard let format = ExportFormat(rawValue: format) else {
            if isTerminal { throw UsageError("--format npz is binary; name a file with --to") }
            return try store.exportNPZ(to: to)
        }
        if isTerminal {
            try store.export(format) { Terminal.standardOutput(String(decoding: $0, as: UTF8.self)) }
        } else {
            try store.export(format, to: to)
        }
    }
}
