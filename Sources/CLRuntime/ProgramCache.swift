import CCrypto
import Foundation

/// Compiled programs on disk.
///
/// - Key: SHA-256 over source, options, device name, device version, platform and driver.
/// - Layout: one file `<key>.clbin` per program in the folder: the SHA-256 of the binary, then the binary. A damaged
///   binary never reaches the driver; PoCL's ends the process on one.
/// - Races: a program is written to a file of its own and renamed into place, so a reader sees a whole file or none,
///   and two writers leave one of two equal files. A binary that the driver refuses is compiled again and replaced.
/// - A failed read or write is never an error: the cache is a convenience.
package struct ProgramCache: Sendable {
    package let folder: String
    package init(folder: String) { self.folder = folder }

    /// `$XDG_CACHE_HOME/vitpatch` or `~/.cache/vitpatch`
    package static var standard: ProgramCache? {
        let environment = ProcessInfo.processInfo.environment
        if let cache = environment["XDG_CACHE_HOME"], !cache.isEmpty {
            return ProgramCache(folder: cache + "/vitpatch")
        }
        guard let home = environment["HOME"], !home.isEmpty else { return nil }
        return ProgramCache(folder: home + "/.cache/vitpatch")
    }

    func key(source: [UInt8], options: String, device: Device) -> String {
        // Each part is preceded by its length, so that different parts never give the same message.
        let parts =
            [options, device.name, device.version, device.platformName, device.driver].map { Array($0.utf8) } + [source]
        var message: [UInt8] = []
        for part in parts {
            withUnsafeBytes(of: UInt64(part.count).littleEndian) { message.append(contentsOf: $0) }
            message.append(contentsOf: part)
        }
        return Self.digest(message).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    func load(_ key: String) -> [UInt8]? {
        guard let data = FileManager.default.contents(atPath: "\(folder)/\(key).clbin") else { return nil }
        let binary = [UInt8](data.dropFirst(Int(SHA256_DIGEST_LENGTH)))
        guard !binary.isEmpty, Self.digest(binary) == [UInt8](data.prefix(Int(SHA256_DIGEST_LENGTH))) else {
            return nil
        }
        return binary
    }

    func store(_ key: String, _ binary: [UInt8]) {
        let temporary =
            "\(folder)/\(key).\(ProcessInfo.processInfo.processIdentifier).\(UInt32.random(in: 0 ... .max)).tmp"
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try Data(Self.digest(binary) + binary).write(to: URL(fileURLWithPath: temporary))
            if rename(temporary, "\(folder)/\(key).clbin") != 0 { unlink(temporary) }
        } catch { unlink(temporary) }
    }

    private static func digest(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        _ = SHA256(bytes, bytes.count, &digest)
        return digest
    }
}
