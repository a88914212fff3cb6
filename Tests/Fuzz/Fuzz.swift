import Foundation
import FuzzReaders

@_silgen_name("LLVMFuzzerRunDriver")
private func run(
    _ argc: UnsafeMutablePointer<Int32>,
    _ argv: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ read: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

private let reader = FuzzReader.all.first { $0.name == ProcessInfo.processInfo.environment["FUZZ_READER"] }

/// Runs one reader under libFuzzer (`make fuzz`). FUZZ_READER names the reader; arguments are libFuzzer's. `fuzz
/// --list` prints the names. `fuzz --seeds FOLDER` writes the seed files FOLDER/READER/N.
@main
struct Fuzz {
    static func main() throws {
        let arguments = CommandLine.arguments
        if arguments.count == 2, arguments[1] == "--list" {
            for reader in FuzzReader.all { print(reader.name) }
        } else if arguments.count == 3, arguments[1] == "--seeds" {
            for reader in FuzzReader.all {
                let folder = "\(arguments[2])/\(reader.name)"
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                for (index, seed) in try reader.seeds().enumerated() {
                    try Data(seed).write(to: URL(fileURLWithPath: "\(folder)/\(index)"))
                }
            }
        } else {
            guard reader != nil else {
                print("FUZZ_READER is to be one of \(FuzzReader.all.map(\.name).joined(separator: ", "))")
                exit(64)
            }
            var argc = CommandLine.argc
            var argv = CommandLine.unsafeArgv
            exit(
                run(&argc, &argv) { bytes, count in
                    try? reader?.read(Data(UnsafeBufferPointer(start: bytes, count: count)))
                    return 0
                })
        }
    }
}
