import Foundation

/// What lies at a path, symbolic links followed.
enum FileKind {
    case missing, folder, other
    /// A regular file of that many bytes
    case file(size: Int)

    var isMissing: Bool { if case .missing = self { true } else { false } }
}

func fileKind(_ path: String) -> FileKind {
    var info = stat()
    guard stat(path, &info) == 0 else { return .missing }
    switch info.st_mode & S_IFMT {
    case S_IFREG: return .file(size: Int(info.st_size))
    case S_IFDIR: return .folder
    default: return .other
    }
}

/// The contents of a regular file of at most `limit` bytes.
func readFile(_ path: String, limit: Int) throws(CheckpointError) -> Data {
    guard case .file(let size) = fileKind(path) else {
        throw CheckpointError.file(path: path, reason: absence(path))
    }
    if size > limit {
        throw CheckpointError.file(path: path, reason: "\(size) bytes, more than the limit of \(limit)")
    }
    do {
        return try Data(contentsOf: URL(fileURLWithPath: path))
    } catch {
        throw CheckpointError.file(path: path, reason: "cannot be read; check its permissions")
    }
}

/// Why there is no regular file at `path`.
func absence(_ path: String) -> String {
    var info = stat()
    guard fileKind(path).isMissing else { return "not a regular file" }
    return lstat(path, &info) == 0 ? "a link to a file that is not there" : "no such file"
}
