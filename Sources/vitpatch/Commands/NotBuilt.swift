import ArgumentParser

/// Options of `sweep` that are known and not built yet: they say so instead of being ignored.
struct SweepOptionsNotBuilt: ParsableArguments {
    @Option(help: .hidden) var groups: String?

    func validate() throws {
        if groups != nil { throw ValidationError("--groups is not built yet") }
    }
}

/// Commands that are known and not built yet.
enum NotBuilt {
    static let names: Set<String> = ["search"]
}
