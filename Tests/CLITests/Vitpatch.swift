import Foundation
import TestSupport

/// The result of running a program.
struct VitpatchResult {
    /// The exit status, or the signal that ended the program
    var code: Int32
    var output: String
    var errors: String
}

/// The `vitpatch` built beside the tests, for any scratch path.
let vitpatch: URL = {
    let bundle = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }?.bundleURL
    let tests = bundle ?? URL(fileURLWithPath: CommandLine.arguments[0])
    return tests.deletingLastPathComponent().appendingPathComponent("vitpatch")
}()

let shell = URL(fileURLWithPath: "/bin/sh")

/// Runs vitpatch and waits for it to end.
/// - Parameter environment: added to this process's environment
func runVitpatch(_ arguments: [String], environment: [String: String] = [:]) throws -> VitpatchResult {
    try run(vitpatch, arguments, environment: environment)
}

func run(_ program: URL, _ arguments: [String], environment: [String: String] = [:]) throws -> VitpatchResult {
    try RunningProgram(program, arguments, environment: environment).wait()
}

/// A running program. Its output goes to files: a full pipe that nobody reads would block it.
final class RunningProgram {
    private let process = Process()
    private let folder: TemporaryFolder
    private let handles: [FileHandle]

    init(_ program: URL, _ arguments: [String], environment: [String: String] = [:]) throws {
        folder = try TemporaryFolder()
        handles = try ["output", "errors"].map { [folder] name in
            try FileHandle(forWritingTo: URL(fileURLWithPath: folder.write(name, Data())))
        }
        process.executableURL = program
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        (process.standardOutput, process.standardError) = (handles[0], handles[1])
        try process.run()
    }

    var isRunning: Bool { process.isRunning }

    func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

    func wait() throws -> VitpatchResult {
        process.waitUntilExit()
        for handle in handles { try handle.close() }
        func text(_ name: String) throws -> String {
            String(decoding: try Data(contentsOf: URL(fileURLWithPath: folder(name))), as: UTF8.self)
        }
        return VitpatchResult(
            code: process.terminationStatus, output: try text("output"), errors: try text("errors"))
    }
}
