import CLRuntime
import Foundation
import Kernels
import Testing
import Verification

/// The device's own tuning, and two as for GPUs: work-groups that share rows, keys and values through local memory,
/// small ones and those that GPUs get.
let tunings: [Tuning?] = [
    nil, Tuning(vector: 4, group: 8, attentionLanes: 1, attentionGroup: 4),
    Tuning(vector: 4, group: 64, attentionLanes: 1, attentionGroup: 64),
]

/// A context of its own, with programs kept between runs.
func library(_ tuning: Tuning? = nil) throws -> KernelLibrary {
    let cache = ProgramCache(folder: FileManager.default.temporaryDirectory.path + "/vitpatch-tests")
    return KernelLibrary(try Context(device: try Device.select(nil), cache: cache), tuning: tuning)
}

func freshSeed() -> UInt64 { .random(in: 0..<1 << 32) }

/// Runs every case on inputs of a fresh seed.
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

/// That `body` throws `CLError.shape` and launches nothing.
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
