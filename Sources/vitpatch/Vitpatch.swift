import ArgumentParser
import CLRuntime
import Foundation

let vitpatchVersion = "0.1.0"

@main
struct Vitpatch: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vitpatch",
        abstract: "Find where in a Vision Transformer a piece of information is represented, by activation patching.",
        discussion: "Without a model and images of your own, `vitpatch sweep` runs on the built-in demo.",
        version: vitpatchVersion,
        subcommands: [
            Sweep.self, ReportCommand.self, Export.self, Summary.self, Merge.self, Compare.self, Search.self,
            Classify.self, Activations.self,
            Verify.self, Bench.self, Tune.self, Inspect.self, Devices.self,
        ])

    /// Prints the one sentence of an error and exits with the code of its type: 64 for a wrong command line, 1 for
    /// anything else.
    static func main() {
        // A closed pipe (`vitpatch export ... | head`) ends the program quietly; a file that may not grow is an error.
        signal(SIGPIPE, SIG_DFL)
        signal(SIGXFSZ, SIG_IGN)
        do {
            try ProcessLimits.checkOpenFiles()
            var command = try parsed()
            try command.run()
        } catch let code as ExitCode {
            exit(withError: code)
        } catch {
            // The user asked for help.
            if exitCode(for: error) == .success { exit(withError: error) }
            let isLog = if case CLError.build = error { true } else { false }
            Terminal.error(sentence(of: error), isLog: isLog)
            exit(withError: ExitCode(vitpatch.exitCode(of: error)))
        }
    }

    /// The command with its options. Asking for help or the version ends the program.
    private static func parsed() throws -> any ParsableCommand {
        let arguments = joined(Array(CommandLine.arguments.dropFirst()))
        if let name = arguments.first { try check(command: name) }
        do {
            return try parseAsRoot(arguments)
        } catch {
            if exitCode(for: error) == .success { exit(withError: error) }
            throw UsageError(message(for: error).split(whereSeparator: \.isNewline).joined(separator: " "))
        }
    }

    /// `--limit -1` as `--limit=-1`: the parser takes arguments that begin with a hyphen for options.
    static func joined(_ arguments: [String]) -> [String] {
        var joined: [String] = []
        for argument in arguments {
            if argument.wholeMatch(of: /-[0-9].*/) != nil, let last = joined.last, last.hasPrefix("--"), last != "--",
                !last.contains("=")
            {
                joined[joined.count - 1] = "\(last)=\(argument)"
            } else {
                joined.append(argument)
            }
        }
        return joined
    }

    private static func check(command name: String) throws {
        let known = configuration.subcommands.map { $0._commandName } + ["help"]
        if !name.hasPrefix("-"), !known.contains(name) {
            throw UsageError(
                "there is no command '\(name)'; valid are \(known.dropLast().joined(separator: ", "))")
        }
    }
}
