import Foundation

/// Why an input file cannot be read, in words that follow its name.
package enum InputError: Error, Equatable, Sendable, CustomStringConvertible {
    case missing, unnamed
    /// A symbolic link to nothing
    case dangling(to: String)
    case folder
    /// A device, socket or named pipe, which is never opened: it may have no end, or no beginning.
    case special(String)
    case tooLarge(limit: Int)
    case failed(String)

    package var description: String {
        switch self {
        case .missing: "there is no such file"
        case .unnamed: "the name is empty"
        case .dangling(let target): "it is a symbolic link to \(target), which does not exist"
        case .folder: "it is a folder"
        case .special(let kind): "it is \(kind), not a regular file"
        case .tooLarge(let limit): "it is larger than \(limit >> 20) MB"
        case .failed(let reason): reason
        }
    }
}

/// Input files that the command line names.
package enum InputFile {
    /// The whole file.
    /// - Parameters:
    ///   - limit: most bytes
    ///   - pipes: whether a pipe that the caller has opened already (`/dev/stdin`, `/dev/fd/N`) is read too
    package static func read(_ path: String, limit: Int, pipes: Bool = false) throws(InputError) -> Data {
        let isOpen = path == "/dev/stdin" || path.hasPrefix("/dev/fd/") || path.hasPrefix("/proc/self/fd/")
        var data = Data()
        // One byte more than the file has, so that reading to its end does not grow the buffer.
        if let size = try check(path, pipes: pipes && isOpen) {
            if size > limit { throw .tooLarge(limit: limit) }
            data.reserveCapacity(size + 1)
        }
        // Non-blocking: a named pipe may have replaced the file meanwhile.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | (isOpen ? 0 : O_NONBLOCK))
        guard descriptor >= 0 else { throw .failed(reason(errno)) }
        defer { close(descriptor) }
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .failed(reason(errno)) }
            if count == 0 { return data }
            data.append(contentsOf: piece[..<count])
            if data.count > limit { throw .tooLarge(limit: limit) }
        }
    }

    /// Checks that it can be opened as a file: links are followed, nothing is opened.
    /// - Returns: the size of a regular file, nil of a pipe
    @discardableResult
    package static func check(_ path: String, pipes: Bool = false) throws(InputError) -> Int? {
        switch FileKind(path) {
        case .file(let size): return size
        case .folder: throw .folder
        case .special(let kind):
            if pipes, kind != FileKind.device { return nil }
            throw .special(kind)
        case .missing: break
        }
        if path.isEmpty { throw .unnamed }
        var info = stat()
        let code = stat(path, &info) == 0 ? ENOENT : errno
        if let target = try? FileManager.default.destinationOfSymbolicLink(atPath: path) { throw .dangling(to: target) }
        throw code == ENOENT || code == ENOTDIR ? .missing : .failed(reason(code))
    }

    /// The system's text for an error code, without a capital letter.
    package static func reason(_ code: Int32) -> String {
        if code == EACCES { return "no permission" }
        let text = String(cString: strerror(code))
        return text.prefix(1).lowercased() + text.dropFirst()
    }
}
