import Foundation

/// An output that appears whole or not at all: it is written to a temporary file in the target's folder, which
/// `close()` syncs to the disk and renames over the target. Until then, and after a failure or a kill at any moment,
/// the target is unchanged. A symbolic link is followed, and its target is replaced. A replaced file's owner and
/// permissions are kept.
///
/// Standard output, a FIFO and a device are written directly. Bytes are buffered in pieces of 256 KiB. Not safe to use
/// from several threads.
package final class AtomicFile {
    /// The name in messages
    private let name: String
    /// Files and folders that must not be replaced
    private let inputs: [String]
    /// The file that is replaced, links followed; nil for output that is written directly
    private let target: String?
    /// nil while the temporary file has no name
    private var temporary: String?
    private var descriptor: Int32
    private var waiting: [UInt8] = []

    /// - Parameters:
    ///   - path: nil for standard output
    ///   - inputs: files and folders that the program reads: neither they nor files in these folders are replaced. An
    ///     SQLite database, such as a results store, is never replaced.
    /// - Throws: `FileError` where the file cannot be made, or would replace an input
    package init(_ path: String?, keeping inputs: [String] = []) throws(FileError) {
        self.inputs = inputs
        name = path ?? "standard output"
        guard let path else {
            (target, descriptor) = (nil, STDOUT_FILENO)
            return
        }
        func failure(_ reason: String) -> FileError { FileError(action: "write", path: path, reason: reason) }
        if path.isEmpty { throw failure("the name is empty") }
        if case .special = FileKind(path) {
            target = nil
            descriptor = open(path, O_WRONLY | O_CLOEXEC)
            if descriptor < 0 { throw FileError("write", path) }
            return
        }
        let target = Self.followed(path)
        if path.hasSuffix("/") || FileKind(target) == .folder { throw failure("a folder has that name") }
        self.target = target
        descriptor = -1
        try check(target)
        let folder = Self.folder(of: target)
        var old = stat()
        let isThere = stat(target, &old) == 0
        if isThere, access(target, W_OK) != 0 { throw FileError("write", path) }
        descriptor = Self.unnamed(in: folder)
        if descriptor < 0 {
            let temporary = Self.temporaryName(in: folder)
            descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
            if descriptor < 0 { throw FileError("write", path) }
            self.temporary = temporary
        }
        if isThere {
            _ = fchown(descriptor, old.st_uid, old.st_gid)
            _ = fchmod(descriptor, old.st_mode & 0o7777)
        }
    }

    /// Discards an output that was not closed.
    deinit {
        if descriptor > STDERR_FILENO { _ = Glibc.close(descriptor) }
        if let temporary { unlink(temporary) }
    }

    /// Writes a whole file.
    package static func write(
        _ bytes: some Collection<UInt8>, to path: String, keeping inputs: [String] = []
    ) throws(FileError) {
        let file = try AtomicFile(path, keeping: inputs)
        try file.write(bytes)
        try file.close()
    }

    package func write(_ text: String) throws(FileError) { try write(text.utf8) }

    package func write(_ bytes: some Collection<UInt8>) throws(FileError) {
        waiting.append(contentsOf: bytes)
        if waiting.count >= 1 << 18 { try flush() }
    }

    /// Writes at an offset past the bytes that were written in order. Gaps are zeros.
    /// - Throws: `FileError` also where the output is no file but a pipe or a device
    package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileError) {
        guard target != nil else {
            throw FileError(action: "write", path: name, reason: "it is not a file, and is not written in order")
        }
        try flush()
        var done = 0
        while done < bytes.count {
            let written = pwrite(
                descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done, off_t(offset + done))
            if written < 0, errno == EINTR { continue }
            if written < 0 { throw error() }
            done += written
        }
    }

    /// Sets the file's size, so that limits on file sizes fail early.
    package func grow(to size: Int) throws(FileError) {
        try flush()
        if target != nil, ftruncate(descriptor, off_t(size)) != 0 { throw error() }
    }

    /// Finishes the file and renames it over the target.
    /// - Throws: `FileError` if that fails, or if the target has become an input meanwhile; the target is then
    ///   unchanged
    package func close() throws(FileError) {
        if descriptor < 0 { return }
        try flush()
        guard let target else {
            if descriptor > STDERR_FILENO, Glibc.close(descriptor) != 0 {
                descriptor = -1
                throw error()
            }
            descriptor = -1
            return
        }
        try check(target)
        // Some file systems have no fsync.
        if fsync(descriptor) != 0, errno != EINVAL, errno != ENOTSUP { throw error() }
        let folder = Self.folder(of: target)
        if temporary == nil {
            let temporary = Self.temporaryName(in: folder)
            guard linkat(AT_FDCWD, "/proc/self/fd/\(descriptor)", AT_FDCWD, temporary, AT_SYMLINK_FOLLOW) == 0 else {
                throw error()
            }
            self.temporary = temporary
        }
        guard let temporary, rename(temporary, target) == 0 else { throw error() }
        self.temporary = nil
        syncFolder(folder)
        let code = Glibc.close(descriptor)
        descriptor = -1
        if code != 0 { throw error() }
    }

    private func flush() throws(FileError) {
        var done = 0
        while done < waiting.count {
            let written = waiting.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress?.advanced(by: done), waiting.count - done)
            }
            if written < 0, errno == EINTR { continue }
            if written < 0 { throw error() }
            done += written
        }
        waiting.removeAll(keepingCapacity: true)
    }

    private func error() -> FileError { FileError("write", name) }

    // MARK: Targets

    private func check(_ target: String) throws(FileError) {
        func failure(_ reason: String) -> FileError { FileError(action: "write", path: name, reason: reason) }
        let identity = FileIdentity(target)
        for input in inputs {
            let path = Self.followed(input)
            if path == target || identity != nil && identity == FileIdentity(path) {
                throw failure("the command reads that file, and does not replace it")
            }
            if identity != nil, FileKind(path) == .folder, target.hasPrefix(path == "/" ? path : path + "/") {
                throw failure("the file is in \(input), which the command reads; it is not replaced")
            }
        }
        if identity != nil, Self.isDatabase(target) { throw failure("it is an SQLite database, which is not replaced") }
    }

    private static func isDatabase(_ path: String) -> Bool {
        guard case .file = FileKind(path) else { return false }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return false }
        defer { _ = Glibc.close(descriptor) }
        var start = [UInt8](repeating: 0, count: 16)
        return read(descriptor, &start, 16) == 16 && start == Array("SQLite format 3\0".utf8)
    }

    /// The path with symbolic links resolved; the file need not exist.
    static func followed(_ path: String) -> String {
        var path = path
        for _ in 0..<40 {
            if let real = realpath(path, nil) {
                defer { free(real) }
                return String(cString: real)
            }
            guard let text = try? FileManager.default.destinationOfSymbolicLink(atPath: path) else { break }
            path = text.hasPrefix("/") ? text : folder(of: path) + "/" + text
        }
        guard let real = realpath(folder(of: path), nil) else { return path }
        defer { free(real) }
        let folder = String(cString: real), last = path.split(separator: "/").last.map(String.init) ?? path
        return folder == "/" ? "/" + last : folder + "/" + last
    }

    /// The folder that a path is in, by its text.
    package static func folder(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func temporaryName(in folder: String) -> String {
        let digits = String(UInt64.random(in: 0 ... .max), radix: 16)
        return "\(folder)/.vitpatch-\(String(repeating: "0", count: 16 - digits.count))\(digits).tmp"
    }

    /// Opens a file without a name, which the system removes when the process ends, however it ends.
    /// - Returns: its descriptor; below 0 if the system or the file system has no such files
    private static func unnamed(in folder: String) -> Int32 {
        let temporaryFile: Int32 = 0o20_000_000 | O_DIRECTORY  // O_TMPFILE, a macro that Swift does not import
        // `close()` gives it a name by way of /proc.
        guard access("/proc/self/fd", X_OK) == 0 else { return -1 }
        return open(folder, temporaryFile | O_WRONLY | O_CLOEXEC, 0o644)
    }
}

/// Syncs a folder's entries to the disk, if the file system can.
package func syncFolder(_ path: String) {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
}
