import Foundation

/// What lies at a path, symbolic links followed.
package enum FileKind: Equatable, Sendable {
    case missing, folder
    /// A regular file of that many bytes
    case file(size: Int)
    /// A FIFO, socket or device, in words
    case special(String)

    package init(_ path: String) {
        var info = stat()
        self = stat(path, &info) == 0 ? Self(info) : .missing
    }

    init(_ info: stat) {
        switch info.st_mode & S_IFMT {
        case S_IFREG: self = .file(size: Int(info.st_size))
        case S_IFDIR: self = .folder
        case S_IFIFO: self = .special("a FIFO")
        case S_IFSOCK: self = .special("a socket")
        default: self = .special("a device")
        }
    }
}

/// Which file a path names now: two names of one file have equal identities, a file and its replacement have not.
package struct FileIdentity: Equatable, Sendable {
    private let device: UInt64
    private let inode: UInt64

    /// nil where there is no such file
    package init?(_ path: String) {
        var info = stat()
        guard stat(path, &info) == 0 else { return nil }
        (device, inode) = (UInt64(info.st_dev), UInt64(info.st_ino))
    }
}

/// Why a file could not be read or written; `description` is one sentence.
package struct FileError: Error, Equatable, Sendable, CustomStringConvertible {
    /// read | write
    package var action: String
    package var path: String
    package var reason: String

    package init(action: String, path: String, reason: String) {
        (self.action, self.path, self.reason) = (action, path, reason)
    }

    package var description: String { "cannot \(action) \(path): \(reason)" }

    /// What `errno` says.
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

/// The bytes of a regular file. Anything else is refused before it is opened: opening a FIFO waits for its writer.
///
/// - Parameter limit: the most bytes that are read
/// - Throws: `FileError` for a file that is missing, is no regular file, is larger than `limit` or cannot be read
package func readFile(_ path: String, limit: Int) throws(FileError) -> [UInt8] {
    func failure(_ reason: String) -> FileError { FileError(action: "read", path: path, reason: reason) }
    switch FileKind(path) {
    case .file(let size) where size <= limit: break
    case .file(let size): throw failure("it has \(size) bytes, more than the limit of \(limit)")
    case .missing: throw failure(path.isEmpty ? "the name is empty" : "there is no such file")
    case .folder: throw failure("it is a folder")
    case .special(let kind): throw failure("it is \(kind); a regular file is needed")
    }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw FileError("read", path) }
    defer { close(descriptor) }
    var info = stat()
    guard fstat(descriptor, &info) == 0, case .file(let size) = FileKind(info) else {
        throw failure("it is no regular file")
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(min(size, limit) + 1)
    while true {
        var failed = false
        let wanted = max(1, min(size - bytes.count + 1, 1 << 22))
        let piece = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
            var got = read(descriptor, buffer.baseAddress, wanted)
            while got < 0, errno == EINTR { got = read(descriptor, buffer.baseAddress, wanted) }
            failed = got < 0
            count = max(got, 0)
        }
        if failed { throw FileError("read", path) }
        if piece.isEmpty { return bytes }
        bytes += piece
        if bytes.count > limit { throw failure("it has more than \(limit) bytes, the limit") }
    }
}
