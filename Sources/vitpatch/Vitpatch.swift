import ArgumentParser
import Foundation
import Patch

let vitpatchVersion = "0.1.0"

@main
struct Vitpatch: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vitpatch",
        abstract: "Finds out where in a Vision Transformer a piece of information lives, by activation patching.",
        discussion: "Without a model and images of your own, `vitpatch sweep` runs on the built-in demo.",
        version: vitpatchVersion,
        subcommands: [
            Sweep.self, ReportCommand.self, Export.self, Summary.self, Merge.self, Compare.self, Search.self,
            Classify.self,
            Verify.self, Bench.self, Tune.self, Inspect.self, Devices.self,
        ])

    /// Prints the one sentence of an error and leaves with its code: 64 for a wrong command line, 1 for anything else.
    static func main() {
        // A closed pipe (`vitpatch export ... | head`) ends the program quietly.
        signal(SIGPIPE, SIG_DFL)
        // A file that gets too large (ulimit -f) is an error like others.
        signal(SIGXFSZ, SIG_IGN)
        do {
            if let name = CommandLine.arguments.dropFirst().first { try check(command: name) }
            var command = try parseAsRoot()
            try command.run()
        } catch let error as CommandError {
            fail(error.description, code: 1)
        } catch SweepError.option(let message) {
            fail(message, code: 64)
        } catch  where isOwn(error) {
            fail("\(error)", code: 1)
        } catch {
            exit(withError: error)
        }
    }

    private static func check(command name: String) throws {
        let known = configuration.subcommands.map { $0._commandName } + ["help"]
        if !name.hasPrefix("-"), !known.contains(name) {
            throw ValidationError(
                "there is no command '\(name)'; valid are \(known.dropLast().joined(separator: ", "))")
        }
    }

    /// Whether an error is one of ours, whose description is the sentence to print, and not the parser's.
    private static func isOwn(_ error: any Error) -> Bool {
        !(error is ValidationError) && !(error is ExitCode) && !(error is CleanExit)
            && !String(reflecting: type(of: error)).hasPrefix("ArgumentParser.")
    }

    private static func fail(_ message: String, code: Int32) -> Never {
        Terminal.standardError("Error: \(message)\n")
        exit(withError: ExitCode(code))
    }
}

/// What a command finds wrong while it runs.
struct CommandError: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}
