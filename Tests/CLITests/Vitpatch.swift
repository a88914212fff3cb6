import Foundation

/// What a run of the program left.
struct VitpatchResult {
    var code: Int32
    var output: String
    var errors: String
}

/// Runs the `vitpatch` that was built beside the tests and waits for its end.
/// - Parameter environment: set on top of this process's
func runVitpatch(_ arguments: [String], environment: [String: String] = [:]) throws -> VitpatchResult {
    let process = Process()
    process.executableURL = productsFolder.appendingPathComponent("vitpatch")
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    // Files and not pipes: a full pipe would stop the program while nobody reads.
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("vitpatch-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let files = try ["output", "errors"].map { name in
        let file = folder.appendingPathComponent(name)
        try Data().write(to: file)
        return file
    }
    let handles = try files.map { try FileHandle(forWritingTo: $0) }
    (process.standardOutput, process.standardError) = (handles[0], handles[1])
    try process.run()
    process.waitUntilExit()
    for handle in handles { try handle.close() }
    let texts = try files.map { String(decoding: try Data(contentsOf: $0), as: UTF8.self) }
    return VitpatchResult(code: process.terminationStatus, output: texts[0], errors: texts[1])
}

/// Where the test bundle and with it the program lies, whatever the scratch path.
private var productsFolder: URL {
    if let bundle = Bundle.allBundles.first(where: { $0.bundlePath.hasSuffix(".xctest") }) {
        return bundle.bundleURL.deletingLastPathComponent()
    }
    return URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
}
