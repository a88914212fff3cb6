import Foundation

/// The folder in which PoCL keeps compiled kernels. Where it cannot write to it, PoCL shows no device, or ends the
/// process; so that is found out before PoCL starts, and a private folder takes its place.
enum PoCLCache {
    private static let variable = "POCL_CACHE_DIR"

    /// Points PoCL, where the loader knows it, at a folder that it can use.
    /// - Returns: a warning where that is not the one it would have taken
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

    /// What PoCL takes: the variable's, else a folder in the user's cache
    static func folder(_ environment: [String: String]) -> String {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        return value(variable) ?? value("XDG_CACHE_HOME").map { $0 + "/pocl/kcache" }
            ?? value("HOME").map { $0 + "/.cache/pocl/kcache" } ?? "/tmp/pocl/kcache"
    }

    private static var fallbacks: [String] {
        let name = "vitpatch-pocl-\(getuid())"
        return Set([FileManager.default.temporaryDirectory.path, "/tmp", "/var/tmp"]).sorted().map { "\($0)/\(name)" }
    }

    /// Why a folder, made where it is not there, cannot be written to; nil: it can.
    /// - Parameter isPrivate: it must belong to this user, and nobody else may write to it
    static func problem(_ folder: String, isPrivate: Bool = false) -> String? {
        let attributes: [FileAttributeKey: Any] = [.posixPermissions: 0o700]
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: attributes)
        } catch { return "it cannot be made" }
        var info = stat()
        guard lstat(folder, &info) == 0 else { return "it cannot be read" }
        if isPrivate, info.st_mode & S_IFMT != S_IFDIR || info.st_uid != getuid() || info.st_mode & 0o022 != 0 {
            return "it is not this user's alone"
        }
        if let path = unwritable(folder) { return "no permission to write to \(path)" }
        let probe = "\(folder)/vitpatch-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let descriptor = open(probe, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return String(cString: strerror(errno)) }
        close(descriptor)
        unlink(probe)
        return nil
    }

    /// The first folder in which PoCL, which writes to those that it made before, could not: of programs, kernels and
    /// group sizes. Other users' can only lie where others may write.
    private static func unwritable(_ folder: String, depth: Int = 0) -> String? {
        var info = stat()
        guard stat(folder, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else { return nil }
        if access(folder, R_OK | W_OK | X_OK) != 0 { return folder }
        if depth > 0, depth == 4 || info.st_uid == getuid() && info.st_mode & 0o022 == 0 { return nil }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.lazy.compactMap { unwritable("\(folder)/\($0)", depth: depth + 1) }.first
    }
}
