import Foundation
import TestSupport
import Testing

/// A device with less memory than it reports: smaller waves, a warning, the same results.
struct OutOfMemoryTests {
    let folder: TemporaryFolder
    let small: [String]

    init() throws {
        folder = try TemporaryFolder()
        small = ["--model", try folder.model(), "--data", try folder.images(count: 3)]
    }

    private func environment(_ limit: String) -> [String: String] { ["VITPATCH_ALLOCATION_LIMIT": limit] }

    private func expectOneWarning(_ errors: String, sourceLocation: SourceLocation = #_sourceLocation) {
        let warnings = errors.split(separator: "\n").filter { $0.hasPrefix("Warning: ") }
        #expect(
            warnings.count == 1 && warnings[0].contains("CL_MEM_OBJECT_ALLOCATION_FAILURE"), "\(errors)",
            sourceLocation: sourceLocation)
    }

    @Test(arguments: [
        ["--site", "resid_mid", "--tokens", "each"],
        ["--corruption", "noise:0.7,2", "--samples", "2", "--direction", "noise", "--logits"],
        ["--corruption", "mask:0.4", "--samples", "3", "--keep", "clean-correct"],
        ["--patch-with", "mean", "--site", "z"],
        ["--patch-with", "resample", "--site", "resid_mid", "--tokens", "each"],
    ])
    func aSweep(_ options: [String]) throws {
        let whole = try sweep(small + options, out: folder("whole"))
        for limit in ["350k", "170k"] {
            let result = try runVitpatch(
                ["sweep", "--out", folder(limit)] + small + options, environment: environment(limit))
            #expect(result.code == 0, "\(result.errors)")
            expectOneWarning(result.errors)
            #expect(try export(folder(limit)) == whole, "\(limit)")
        }
    }

    /// Less and less memory: waves fit, then only the weights, then not even those.
    @Test func nothingFits() throws {
        var found: [String] = [], limit = 100_000.0
        while limit > 10_000 {
            let result = try runVitpatch(
                ["sweep", "--limit", "2", "--out", folder("out"), "--overwrite"] + small,
                environment: environment("\(Int(limit))"))
            let last = String(result.errors.split(separator: "\n").last ?? "")
            let words = ["the weights of", "the smallest wave, one image and one patch"].first { last.contains($0) }
            #expect(result.code == (words == nil ? 0 : 1), "\(result.errors)")
            #expect(last.hasPrefix("Error: ") == (words != nil), "\(result.errors)")
            if found.last != words ?? "fits" { found.append(words ?? "fits") }
            limit *= 0.9
        }
        #expect(found == ["fits", "the smallest wave, one image and one patch", "the weights of"])
    }

    /// On the demo, whose corruption has an effect to recover; on random images of a random model it may have none.
    @Test(arguments: [
        ["search", "--limit", "24", "--until", "2", "--max", "2", "--format", "json"], ["classify", "--limit", "1000"],
    ])
    func aSearchAndAClassification(_ command: [String]) throws {
        let whole = try runVitpatch(command)
        let result = try runVitpatch(command, environment: environment("1500k"))
        #expect(result.code == 0 && whole.code == 0, "\(result.errors)")
        expectOneWarning(result.errors)
        #expect(result.output == whole.output)
    }
}
