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

/// z [tokens, heads * dim] of one image's `qkv` [tokens, 3, heads * dim].
func selfAttention(
    _ library: KernelLibrary, qkv: [Float], heads: Int = 1, dim: Int, scale: Float = 1
) throws -> [Float] {
    let width = heads * dim, tokens = qkv.count / (3 * width)
    let values = try Buffer(library.context, qkv), z = try Buffer<Float>(library.context, count: tokens * width)
    try z.fill(0)
    func rows(_ part: Int) -> Attention.Rows { .init(values, offset: part * width, stride: 3 * width) }
    try Attention(library, headDim: dim)(
        q: rows(0), queries: tokens, k: rows(1), v: rows(2), tokens: tokens, images: 1, heads: heads, scale: scale, z: z
    )
    return try z.read()
}

/// Softmax must not hide a key that is not a number: a weight that underflows is nearly nothing, this one is none.
func expectNotANumberInEveryQuery(_ library: KernelLibrary, tokens: Int, dim: Int) throws {
    var qkv = [Float](repeating: 1, count: tokens * 3 * dim)
    qkv[Int.random(in: 0..<tokens) * 3 * dim + dim] = .nan  // of a key
    let z = try selfAttention(library, qkv: qkv, dim: dim)
    let isNaN = z.allSatisfy { $0.isNaN }
    #expect(isNaN)
}
