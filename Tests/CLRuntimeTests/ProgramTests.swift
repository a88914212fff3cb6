import CLRuntime
import Foundation
import Testing

struct ProgramTests {
    @Test func aBuildErrorCarriesTheFileAndTheLog() throws {
        let context = try context()
        let source = Array("__kernel void broken(__global float *x) { x[0] = undeclared_name; }".utf8)
        let error = #expect(throws: CLError.self) { try Program(context, name: "broken.cl", source: source) }
        guard case .build(let program, let log) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(program == "broken.cl")
        #expect(log.contains("undeclared_name"))
        #expect("\(try #require(error))".contains("kernels/broken.cl"))
        #expect(context.counters.compiled == 0)
    }

    @Test func optionsReachTheCompiler() throws {
        let context = try context()
        let source = Array("__kernel void value(__global int *out) { out[0] = VALUE; }".utf8)
        let program = try Program(context, name: "value.cl", source: source, options: ["-D VALUE=17"])
        let out = try Buffer<Int32>(context, count: 1)
        try Kernel(program, "value").launch(global: [1], ["out": out])
        #expect(try out.read() == [17])
    }
}

@Suite(.serialized) struct ProgramCacheTests {
    /// The counts of compiled and loaded programs in a new context, after a run that must give the right result.
    private func run(_ cache: ProgramCache, source: [UInt8] = scaleSource) throws -> [Int] {
        let context = try context(cache: cache)
        let kernel = try scaleKernel(context, source: source)
        let buffer = try Buffer<Float>(context, [3])
        try kernel.launch(global: [1], ["in": buffer, "scale": 2 as Float, "number": 1 as Int32, "out": buffer])
        #expect(try buffer.read() == [7])
        return [context.counters.compiled, context.counters.loaded]
    }

    private func files(_ folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder)
    }

    @Test func theSecondContextLoads() throws {
        try withTemporaryFolder { folder in
            let cache = ProgramCache(folder: folder + "/made/on/demand")
            #expect(try run(cache) == [1, 0])
            #expect(try run(cache) == [0, 1])
            let names = try files(cache.folder)
            #expect(names.count == 1 && names[0].hasSuffix(".clbin"))
        }
    }

    @Test func otherSourceOrOptionsAreOtherPrograms() throws {
        try withTemporaryFolder { folder in
            let context = try context(cache: ProgramCache(folder: folder))
            _ = try Program(context, name: "scale.cl", source: scaleSource)
            _ = try Program(context, name: "scale.cl", source: scaleSource, options: ["-D X=1"])
            _ = try Program(context, name: "scale.cl", source: scaleSource + Array("\n".utf8))
            #expect(context.counters.compiled == 3 && context.counters.loaded == 0)
            #expect(try files(folder).count == 3)
        }
    }

    @Test(arguments: ["empty", "garbage", "half", "another program's source"]) func aSpoiltFileIsReplaced(
        _ spoilt: String
    ) throws {
        try withTemporaryFolder { folder in
            let cache = ProgramCache(folder: folder)
            _ = try run(cache)
            let path = folder + "/" + (try #require(try files(folder).first))
            let whole = try Data(contentsOf: URL(fileURLWithPath: path))
            let bytes: [UInt8] =
                switch spoilt {
                case "empty": []
                case "half": Array(whole.prefix(whole.count / 2))
                case "garbage": whole.map { _ in .random(in: 0...255) }
                default: scaleSource
                }
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            #expect(try run(cache) == [1, 0])
            #expect(try run(cache) == [0, 1])
            #expect(try files(folder).count == 1)
        }
    }

    @Test func aFolderThatCannotBeWrittenIsNoError() throws {
        try withTemporaryFolder { folder in
            let file = folder + "/file"
            try Data([1]).write(to: URL(fileURLWithPath: file))
            #expect(try run(ProgramCache(folder: file + "/below")) == [1, 0])
        }
    }

    @Test func writersThatRaceLeaveOneWholeFile() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("vitpatch-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let cache = ProgramCache(folder: folder)
        // A source that no driver has cached, so that every context compiles.
        let source = scaleSource + Array("\n// \(UUID().uuidString)\n".utf8)
        let programs = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    let counts = try self.run(cache, source: source)
                    return counts[0] + counts[1]
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(programs == 8)
        let names = try files(folder)
        #expect(names.count == 1 && names.allSatisfy { $0.hasSuffix(".clbin") })
        #expect(try run(cache, source: source) == [0, 1])
    }
}
