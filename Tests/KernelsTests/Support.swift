import CLRuntime
import Foundation
import Kernels
import Testing
import Verification

/// The device's own tuning, and two as for GPUs, where a work-group shares rows, and keys and values go through local
/// memory: one with small groups, one with the groups that GPUs use.
let tunings: [Tuning?] = [
    nil, Tuning(vector: 4, group: 8, attentionLanes: 1, attentionGroup: 4),
    Tuning(vector: 4, group: 64, attentionLanes: 1, attentionGroup: 64),
]

/// A library in a new context, with compiled programs cached between runs.
func library(_ tuning: Tuning? = nil) throws -> KernelLibrary {
    let cache = ProgramCache(folder: FileManager.default.temporaryDirectory.path + "/vitpatch-tests")
    return KernelLibrary(try Context(device: try Device.select(nil), cache: cache), tuning: tuning)
}

func freshSeed() -> UInt64 { .random(in: 0..<1 << 32) }

/// Runs every case on inputs from a fresh seed.
func expectPassing(_ cases: [OpCase], on library: KernelLibrary) throws {
    let seed = freshSeed()
    for operation in cases {
        let result = try operation.check(library, seed: seed)
        #expect(
            result.passed,
            "\(result.name), \(result.detail), seed \(seed), \(library.tuning): error \(result.error) above \(result.tolerance)"
        )
    }
}

/// Expects that `body` throws `CLError.shape` and launches nothing.
func expectShapeError(_ context: Context, _ body: () throws -> Void, _ location: SourceLocation = #_sourceLocation) {
    let before = context.counters
    do {
        try body()
        Issue.record("no error", sourceLocation: location)
    } catch CLError.shape {
        #expect(context.counters == before, sourceLocation: location)
    } catch {
        Issue.record("another error: \(error)", sourceLocation: location)
    }
}
