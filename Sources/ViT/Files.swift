import Foundation

/// The kind of file at a path, symbolic links followed.
enum FileKind {
    case missing, folder, other
    /// A symbolic link to a missing file, as in a broken cache of the Hugging Face Hub
    case dangling(to: String)
    /// A regular file of `size` bytes
    case file(size: Int)

    var isMissing: Bool { if case .missing = self { true } else { false } }

    /// Why it cannot be read as a file
    var reason: String {
        switch self {
        case .missing: "no such file"
        case .dangling(let target): "a symbolic link to \(printable(target)), which does not exist"
        case .folder, .other, .file: "not a regular file"
        }
    }
}

func fileKind(_ path: String) -> FileKind {
    var info = stat()
    guard stat(path, &info) == 0 else {
        let target = try? FileManager.default.destinationOfSymbolicLink(atPath: path)
        return target.map { .dangling(to: $0) } ?? .missing
    }
    switch info.st_mode & S_IFMT {
    case S_IFREG: return .file(size: Int(info.st_size))
    case S_IFDIR: return .folder
    default: return .other
    }
}

/// The contents of a regular file of at most `limit` bytes.
func readFile(_ path: String, limit: Int) throws(CheckpointError) -> Data {
    guard case .file(let size) = fileKind(path) else {
        throw CheckpointError.file(path: path, reason: fileKind(path).reason)
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
