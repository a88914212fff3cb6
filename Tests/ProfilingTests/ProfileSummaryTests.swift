import CLRuntime
import Profiling
import Testing

/// Consecutive commands, 10 ns apart.
func commands(_ parts: [(stage: String, kernel: String, nanoseconds: UInt64)], from start: UInt64 = 1000)
    -> [ProfiledCommand]
{
    var now = start
    return parts.map { part in
        now += 10 + part.nanoseconds
        return ProfiledCommand(name: part.kernel, stage: part.stage, start: now - part.nanoseconds, end: now)
    }
}

struct ProfileSummaryTests {
    let wave = commands([
        ("embed", "embed", 5), ("attention 0", "layernorm", 10), ("attention 0", "gemm", 20),
        ("resid_mid 0", "copy", 1),
        ("mlp 0", "gemm", 40), ("attention 11", "gemm", 30), ("resid_post 11", "copy", 2), ("classifier", "gemm", 3),
    ])

    @Test func layersAreSummed() {
        var summary = ProfileSummary()
        for _ in 0..<2 { summary.add(wave) }
        #expect(summary.stages.map(\.name) == ["attention", "mlp", "embed", "classifier", "resid swaps"])
        #expect(summary.stages.map(\.calls) == [4, 2, 2, 2, 4])
        #expect(summary.stages.map(\.nanoseconds) == [120, 80, 10, 6, 6])
        #expect(summary.stages[0].mean == 30)
        #expect(summary.kernels.map(\.name) == ["gemm", "layernorm", "embed", "copy"])
        #expect(summary.kernels.map(\.calls) == [8, 2, 2, 4])
        #expect(summary.kernels.map(\.nanoseconds) == [186, 20, 10, 6])
        #expect(summary.busy == 222)
    }

    @Test func devicesAreSummed() {
        var one = ProfileSummary(), two = ProfileSummary(), both = ProfileSummary()
        one.add(wave)
        two.add(Array(wave.prefix(3)))
        for commands in [wave, Array(wave.prefix(3))] { both.add(commands) }
        one.add(two)
        #expect(one == both && one.busy > two.busy)
    }

    @Test func nothingIsNothing() {
        #expect(ProfileSummary().busy == 0)
        #expect(ProfileSummary().stages.isEmpty && ProfileSummary().kernels.isEmpty)
    }
}
