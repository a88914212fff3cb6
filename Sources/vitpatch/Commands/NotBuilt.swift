import ArgumentParser

/// Options of `sweep` that are known and not built yet: they say so instead of being ignored.
struct SweepOptionsNotBuilt: ParsableArguments {
    @Option(help: .hidden) var donor: String?
    @Option(help: .hidden) var heads: String?
    @Option(help: .hidden) var tokens: String?
    @Option(help: .hidden) var patchWith: String?
    @Option(help: .hidden) var spec: String?
    @Flag(help: .hidden) var printSpec = false
    @Option(help: .hidden) var groups: String?
    @Option(help: .hidden) var samples: String?

    func validate() throws {
        let given = [
            ("--donor", donor != nil), ("--heads", heads != nil), ("--tokens", tokens != nil),
            ("--patch-with", patchWith != nil), ("--spec", spec != nil), ("--print-spec", printSpec),
            ("--groups", groups != nil), ("--samples", samples != nil),
        ]
        for (option, isGiven) in given where isGiven { throw ValidationError("\(option) is not built yet") }
    }
}

/// A command that is known and not built yet.
private protocol NotBuilt: ParsableCommand { var rest: [String] { get } }
extension NotBuilt {
    static func configuration(_ name: String) -> CommandConfiguration {
        CommandConfiguration(commandName: name, abstract: "Not built yet.", shouldDisplay: false)
    }
    func validate() throws { throw ValidationError("vitpatch \(Self.configuration.commandName ?? "") is not built yet") }
}

private struct ReportCommand: NotBuilt {
    static let configuration = configuration("report")
    @Argument(parsing: .allUnrecognized) var rest: [String] = []
}
private struct MergeCommand: NotBuilt {
    static let configuration = configuration("merge")
    @Argument(parsing: .allUnrecognized) var rest: [String] = []
}
private struct CompareCommand: NotBuilt {
    static let configuration = configuration("compare")
    @Argument(parsing: .allUnrecognized) var rest: [String] = []
}
private struct SearchCommand: NotBuilt {
    static let configuration = configuration("search")
    @Argument(parsing: .allUnrecognized) var rest: [String] = []
}
private struct BenchCommand: NotBuilt {
    static let configuration = configuration("bench")
    @Argument(parsing: .allUnrecognized) var rest: [String] = []
}
private struct TuneCommand: NotBuilt {
    static let configuration = configuration("tune")
    @Argument(parsing: .allUnrecognized) var rest: [String] = []
}
private struct InspectCommand: NotBuilt {
    static let configuration = configuration("inspect")
    @Argument(parsing: .allUnrecognized) var rest: [String] = []
}

let notBuiltCommands: [any ParsableCommand.Type] = [
    ReportCommand.self, MergeCommand.self, CompareCommand.self, SearchCommand.self, BenchCommand.self, TuneCommand.self,
    InspectCommand.self,
]
