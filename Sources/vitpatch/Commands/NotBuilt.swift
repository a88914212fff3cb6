import ArgumentParser

/// Options of `sweep` that are known and not built yet: they say so instead of being ignored.
struct SweepOptionsNotBuilt: ParsableArguments {
    @Option(help: .hidden) var spec: String?
    @Flag(help: .hidden) var printSpec = false
    @Option(help: .hidden) var groups: String?

    func validate() throws {
        let given = [("--spec", spec != nil), ("--print-spec", printSpec), ("--groups", groups != nil)]
        for (option, isGiven) in given where isGiven { throw ValidationError("\(option) is not built yet") }
    }
}

/// Commands that are known and not built yet.
enum NotBuilt {
    static let names: Set<String> = ["search", "bench", "tune"]
}
