import Foundation

/// A file's bytes without a copy of them: pages are read when they are touched, and let go when nobody needs them.
///
/// The file's size is that of the opened file, so every byte of `data` exists when `init` returns. A file that another
/// process cuts short after that ends this one with SIGBUS at the first page that is gone: the kernel has nothing to
/// give, and a handler that carried on would compute with zeros. No result is lost by it (the results store survives a
/// kill), and nothing outside the mapping is ever read. A file that is replaced by renaming another over it, as
/// safetensors and git do, is another file; the mapping keeps the old one.
final class MappedFile: Sendable {
    /// The whole file; valid as long as any copy or slice of it
    let data: Data
    private let address: UInt
    private let size: Int

    /// - Throws: `CheckpointError.file` where there is no regular file that can be read.
    init(path: String) throws(CheckpointError) {
        func unreadable() -> CheckpointError { .file(path: path, reason: "cannot be read; check its permissions") }
        // Before it is opened: opening a pipe would wait for its writer.
        let kind = fileKind(path)
        guard case .file = kind else { throw .file(path: path, reason: kind.reason) }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw unreadable() }
        defer { close(descriptor) }
        var info = stat()
        guard fstat(descriptor, &info) == 0 else { throw unreadable() }
        guard info.st_mode & S_IFMT == S_IFREG else { throw .file(path: path, reason: "not a regular file") }
        size = Int(info.st_size)
        if size == 0 {
            (data, address) = (Data(), 0)
            return
        }
        guard let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
            throw unreadable()
        }
        address = UInt(bitPattern: start)
        data = Data(bytesNoCopy: start, count: size, deallocator: .custom { munmap($0, $1) })
    }

    /// Lets go the pages that lie within `range` of the file; whoever touches them again reads them again.
    func forget(_ range: Range<Int>) {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let first = (max(0, range.lowerBound) + page - 1) / page * page, end = min(size, range.upperBound) / page * page
        if first < end {
            madvise(UnsafeMutableRawPointer(bitPattern: address + UInt(first)), end - first, MADV_DONTNEED)
        }
    }
}
