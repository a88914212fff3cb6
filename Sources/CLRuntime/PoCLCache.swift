import Foundation

/// The folder in which PoCL keeps compiled kernels. Where PoCL cannot write to it, it shows no device or ends the
/// process, so the folder is checked before PoCL starts and replaced by a private one if needed.
enum PoCLCache {
    private static let variable = "POCL_CACHE_DIR"

    /// Points PoCL, if it is among the loader's drivers, at a folder that it can use.
    /// - Returns: a warning where that is not PoCL's own choice
    static func prepare() -> String? {
        guard Drivers.libraries.contains(where: { ($0.icd + $0.library).lowercased().contains("pocl") }) else {
            return nil
        }
        let folder = folder(ProcessInfo.processInfo.environment)
        guard let problem = problem(folder) else { return nil }
        for fallback in fallbacks where self.problem(fallback, isPrivate: true) == nil {
            setenv(variable, fallback, 1)
            return "PoCL cannot keep compiled kernels in \(folder) (\(problem)); they go to \(fallback)"
        }
        return "PoCL cannot keep compiled kernels in \(folder) (\(problem)); name another folder by \(variable)"
    }

    /// PoCL's choice: the variable's folder, else one in the user's cache
    static func folder(_ environment: [String: String]) -> String {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        return value(variable) ?? value("XDG_CACHE_HOME").map { $0 + "/pocl/kcache" }
            ?? value("HOME").map { $0 + "/.cache/pocl/kcache" } ?? "/tmp/pocl/kcache"
    }

    private static var fallbacks: [String] {
        let name = "vitpatch-pocl-\(getuid())"
        return Set([FileManager.default.temporaryDirectory.path, "/tmp", "/var/tmp"]).sorted().map { "\($0)/\(name)" }
    }

    /// Why a folder, created if missing, cannot be written to; nil if it can.
    /// - Parameter isPrivate: it must belong to this user, and no one else may write to it
    static func problem(_ folder: String, isPrivate: Bool = false) -> String? {
        let attributes: [FileAttributeKey: Any] = [.posixPermissions: 0o700]
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: attributes)
        } catch { return "it cannot be created" }
        var info = stat()
        guard lstat(folder, &info) == 0 else { return "it cannot be read" }
        if isPrivate, info.st_mode & S_IFMT != S_IFDIR || info.st_uid != getuid() || info.st_mode & 0o022 != 0 {
            return "it is not a folder that only this user can write to"
        }
        if let path = unwritable(folder) { return "no permission to write to \(path)" }
        let probe = "\(folder)/vitpatch-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let descriptor = open(probe, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return String(cString: strerror(errno)) }
        close(descriptor)
        unlink(probe)
        return nil
    }

    /// The first folder, of those for programs, kernels and group sizes, in which PoCL could not write; PoCL writes to
    /// existing ones too. Another user's folder can only be where others may write.
    private static func unwritable(_ folder: String, depth: Int = 0) -> String? {
        var info = stat()
        guard stat(folder, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else { return nil }
        if access(folder, R_OK | W_OK | X_OK) != 0 { return folder }
        if depth > 0, depth == 4 || info.st_uid == getuid() && info.st_mode & 0o022 == 0 { return nil }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.lazy.compactMap { unwritable("\(folder)/\($0)", depth: depth + 1) }.first
    }
}
