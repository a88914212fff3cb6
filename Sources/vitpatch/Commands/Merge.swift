import ArgumentParser
import Results

struct Merge: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Put the shards of a sweep together: the same result as without shards.")

    @Argument(help: "Results folders of all shards, in any order.")
    var folders: [String]

    @Option(help: "Results folder to make.")
    var out: String

    @Flag(help: "Replace the results in --out.")
    var overwrite = false

    mutating func run() throws {
        let images = try ResultsStore.merge(folders, into: out, overwrite: overwrite)
        Terminal.standardOutput("\(folders.count) shards, \(images) images in \(out)\n")
    }
}
