import ArgumentParser
import Results

struct Merge: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Merge the shards of a sweep: the same result as without shards.")

    @Argument(help: "Results folders of all shards, in any order.")
    var folders: [String]

    @Option(help: ArgumentHelp("Results folder to make.", valueName: "folder"), completion: .directory)
    var out: String

    @Flag(help: "Replace the results in --out.")
    var overwrite = false

    func validate() throws { try OptionText.check("--out", name: out) }

    mutating func run() throws {
        for folder in folders { try Store.check(folder) }
        let images: Int
        do {
            images = try ResultsStore.merge(folders, into: out, overwrite: overwrite)
        } catch ResultsError.exists(let path) {
            throw CommandError("\(path) already exists; --overwrite replaces it")
        }
        Terminal.standardOutput("\(folders.count) shards, \(images) images in \(out)\n")
    }
}
