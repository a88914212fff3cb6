import Foundation

/// The kind of file at a path, symbolic links followed.
package enum FileKind: Equatable, Sendable {
    case missing, folder
    /// A regular file of `size` bytes
    case file(size: Int)
    /// A named pipe, socket or device, in words
    case special(String)

    static let device = "a device"

    package init(_ path: String) {
        var info = stat()
        self = stat(path, &info) == 0 ? Self(info) : .missing
    }

    init(_ info: stat) {
        switch info.st_mode & S_IFMT {
        case S_IFREG: self = .file(size: Int(info.st_size))
        case S_IFDIR: self = .folder
        case S_IFIFO: self = .special("a named pipe")
        case S_IFSOCK: self = .special("a socket")
        default: self = .special(Self.device)
        }
    }
}

/// Identifies the file that a path names now: two names of one file are equal, a file and its replacement are not.
package struct FileIdentity: Equatable, Sendable {
    private let device: UInt64
    private let inode: UInt64

    /// nil if there is no such file
    package init?(_ path: String) {
        var info = stat()
        guard stat(path, &info) == 0 else { return nil }
        (device, inode) = (UInt64(info.st_dev), UInt64(info.st_ino))
    }
}

/// Why a file could not be read or written; `description` is one sentence.
package struct FileError: Error, Equatable, Sendable, CustomStringConvertible {
    /// read | write | create
    package var action: String
    package var path: String
    package var reason: String

    package init(action: String, path: String, reason: String) {
        (self.action, self.path, self.reason) = (action, path, reason)
    }

    package var description: String { "cannot \(action) \(path): \(reason)" }

    /// The error of `errno`.
    init(_ action: String, _ path: String, code: Int32 = errno) {
        let reason =
            switch code {
            case ENOSPC, EDQUOT: "the disk is full"
            case EFBIG: "the file would be larger than the limit on file sizes (ulimit -f)"
            case EROFS: "read-only file system"
            default: String(cString: strerror(code))
            }
        self.init(action: action, path: path, reason: reason)
    }
}
