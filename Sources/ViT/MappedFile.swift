import Foundation

/// A memory-mapped file: pages are read when they are accessed, and may be dropped again.
///
/// Its size is that of the opened file, so every byte of `data` exists when `init` returns. If another process
/// truncates the file later, this process ends with SIGBUS at the first missing page: the kernel has no data for it,
/// and a handler that continued would compute with zeros. No result is lost (the results store survives a kill), and
/// nothing outside the mapping is ever read. Renaming another file over it, as safetensors and git do, is safe: the
/// mapping keeps the old file.
final class MappedFile: Sendable {
    /// The whole file; valid as long as any copy or slice of it exists
    let data: Data
    private let address: UInt
    private let size: Int

    /// - Throws: `CheckpointError.file` where there is no readable regular file.
    init(path: String) throws(CheckpointError) {
        func unreadable() -> CheckpointError { .file(path: path, reason: "cannot be read; check its permissions") }
        // Checked before opening: opening a pipe would wait for its writer.
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

    /// Drops the pages that lie within `range` of the file; the next access reads them again.
    func forget(_ range: Range<Int>) {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let first = (max(0, range.lowerBound) + page - 1) / page * page, end = min(size, range.upperBound) / page * page
        if first < end {
            madvise(UnsafeMutableRawPointer(bitPattern: address + UInt(first)), end - first, MADV_DONTNEED)
        }
    }
}
