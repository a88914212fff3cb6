import CLRuntime
import Foundation

/// A context on the default device that always compiles, unless it is given a cache.
func context(cache: ProgramCache? = nil, profiling: Bool = false) throws -> Context {
    try Context(device: try Device.select(nil), cache: cache, profiling: profiling)
}

/// Runs `body` with the path of a new folder that is removed afterwards.
func withTemporaryFolder<R>(_ body: (String) throws -> R) throws -> R {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("vitpatch-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return try body(folder)
}

/// out[i] = in[i] * scale + number
let scaleSource = Array(
    """
    __kernel void scale(__global const float *in, float scale, int number, __global float *out) {
      int i = get_global_id(0);
      out[i] = in[i] * scale + number;
    }
    """.utf8)

func scaleKernel(_ context: Context, source: [UInt8] = scaleSource) throws -> Kernel {
    try Kernel(try Program(context, name: "scale.cl", source: source), "scale")
}
