import Foundation

/// The limits of this process (`ulimit`). Libraries that we use crash if they are too low, so they are checked first.
enum ProcessLimits {
    private static let files = 64
    private static let fileBytes = 4 << 20

    /// Raises the limit of open files if it is too low; throws if it cannot be raised.
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

    /// OpenCL drivers write compiled kernels to files, and end the process if they cannot.
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
