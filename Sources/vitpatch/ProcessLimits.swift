import Foundation

/// What the shell allows this process (`ulimit`). Libraries below crash where too little is left, so it is checked
/// first.
enum ProcessLimits {
    private static let files = 64
    private static let fileBytes = 4 << 20

    /// Raises the limit of open files where that is allowed.
    static func checkOpenFiles() throws {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < files else {
            return
        }
        limit.rlim_cur = min(rlim_t(files), limit.rlim_max)
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        guard limit.rlim_cur >= files else {
            throw CommandError(
                "the limit of open files is \(limit.rlim_max), and vitpatch needs \(files); raise it with ulimit -n")
        }
    }

    /// OpenCL drivers write compiled kernels to files, and end the process where they cannot.
    static func checkFileSize() throws {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0, limit.rlim_cur < fileBytes else {
            return
        }
        throw CommandError(
            "the limit of a file's size is \(limit.rlim_cur >> 10) KiB, and compiled kernels need \(fileBytes >> 10) KiB; raise it "
                + "with ulimit -f")
    }
}
