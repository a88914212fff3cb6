import ArgumentParser
import Foundation
import Report
import Results
import Spec
import Statistics

struct Compare: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The paired difference of two sweeps, B - A, with 95% confidence intervals.",
        discussion: "Images are paired by their id, patches by direction, site, layer, head, token and window.")

    @Argument(help: "Results folder of the first sweep.")
    var a: String

    @Argument(help: "Results folder of the second sweep.")
    var b: String

    @Option(
        help: "\(oneOf(Format.self)); csv has one row per patch with every statistic.",
        completion: .choices(Format.self))
    var format = Format.text.rawValue

    @Flag(help: "Compare sweeps of different data too; images are paired by their ids all the same.")
    var force = false

    enum Format: String, Choice { case text, csv }

    func validate() throws { _ = try choice("--format", format, Format.self) }

    mutating func run() throws {
        let (storeA, storeB) = (try Store.open(a), try Store.open(b))
        try checkDifferences(storeA.manifest, storeB.manifest)
        let comparison = try compare(storeA, storeB)
        for item in comparison.corruptions where item.onlyA + item.onlyB > 0 {
            Terminal.warning(
                "\(item.specA): the sweeps share \(counted(item.shared, "image")); \(item.onlyA) only in A and "
                    + "\(item.onlyB) only in B are left out")
        }
        Terminal.standardOutput(
            format == Format.csv.rawValue
                ? comparisonData(comparison)
                : comparisonText(comparison, a: a, b: b, colour: Terminal.colour))
    }

    /// Refuses sweeps of different data without --force, as images of one name may be different ones. Warns of settings
    /// that differ; models may differ, as comparing them is what the command is for.
    private func checkDifferences(_ a: Manifest, _ b: Manifest) throws {
        if a.dataHash != b.dataHash {
            let words =
                "the sweeps are of different data, \(a.data) (\(a.dataHash.prefix(12))) and \(b.data) (\(b.dataHash.prefix(12)))"
            guard force else {
                throw CommandError("\(words), so images of one name may not be the same; --force compares them")
            }
            Terminal.warning(words)
        }
        func warn(_ name: String, _ of: (Manifest) -> String) {
            if of(a) != of(b) { Terminal.warning("\(name) is \(of(a)) in A and \(of(b)) in B") }
        }
        warn("direction") { Set($0.ownPatches.map(\.direction)).sorted().joined(separator: ", ") }
        warn("patch-with", \.putIn)
        warn("partner") { $0.partner ?? "any" }
        warn("target", \.target)
        warn("foil") { $0.foil ?? "corrupted" }
        warn("image-size") { $0.imageSize ?? "the model's" }
        warn("classes") { $0.classes ?? "the model's" }
        warn("noise-sd") { $0.noiseSD ?? "image" }
        warn("file") { m in m.patchFile.map { "\($0) (\((m.patchFileHash ?? "").prefix(12)))" } ?? "none" }
    }
}
