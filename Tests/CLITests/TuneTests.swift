import CLRuntime
import Foundation
import Kernels
import TestSupport
import Testing

struct TuneTests {
    /// The fastest candidate is stored in the cache folder, and a later sweep runs on it.
    @Test func theFastestIsRemembered() throws {
        let folder = try TemporaryFolder()
        let environment = ["XDG_CACHE_HOME": folder.path, "POCL_CACHE_DIR": folder("pocl")]
        let result = try runVitpatch(
            ["tune", "--model", fixtures.appendingPathComponent("tiny").path, "--seconds", "0"],
            environment: environment)
        #expect(result.code == 0, "\(result.errors)")
        let lines = result.output.split(separator: "\n")
        let fastest = try #require(lines.last { $0.hasSuffix("*") }).split(separator: "  ")[0]
        // The built-in choice is kept unless the fastest candidate wins clearly.
        let best = try #require(lines.last?.components(separatedBy: " is used on ").first)
        let builtIn = try GEMMChoice(device: try Device.select(nil))
            .make(KernelLibrary(Context(device: try Device.select(nil)))).name
        #expect(best == fastest || best == builtIn)
        #expect(best == fastest || lines.contains { $0.hasSuffix(": not clearly") })
        let choices = try #require(GEMMChoices(cache: ProgramCache(folder: folder("vitpatch"))))
        let choice = try #require(choices.load(for: try Device.select(nil)))
        #expect(try choice.make(KernelLibrary(Context(device: try Device.select(nil)))).name == best)
    }

    /// CLBlast with our parameters, which apply to the whole process.
    @Test func rememberedParametersAreChecked() throws {
        let folder = try TemporaryFolder(), device = try Device.select(nil)
        let choices = try #require(GEMMChoices(cache: ProgramCache(folder: folder("vitpatch"))))
        var tile = CLBlastGEMM.Tile(
            rows: 64, columns: 32, depth: 16, rowThreads: 8, columnThreads: 8, vector: 2, isCached: true)
        try choices.store(GEMMChoice(provider: .clblast, clblast: tile), for: device)
        let result = try runVitpatch(
            ["verify", "--gemm", "clblast", "--seed", "\(UInt32.random(in: 0 ... .max))"],
            environment: ["XDG_CACHE_HOME": folder.path])
        #expect(result.code == 0, "\(result.output)\(result.errors)")
        #expect(result.output.contains("clblast 64x32 k16 t8x8 v2 local"))

        // Parameters that no kernel can be built with are ignored.
        tile.rows = 60
        try choices.store(GEMMChoice(provider: .clblast, clblast: tile), for: device)
        #expect(choices.load(for: device) == nil)
    }
}
