import CImageIO

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The largest file that may be read whole
private let maxFileBytes = 1 << 30

/// The size in bytes of a regular file; links are followed.
func fileSize(_ path: String) throws -> Int {
    var size: Int64 = 0
    try withReason({ ImageError.dataset(path: path, reason: "it cannot be read: \($0)") }) {
        size = cimage_file_size(path, $0)
        return size >= 0
    }
    return Int(size)
}

/// `count` bytes from `offset` on, or the whole file.
func readFile(_ path: String, offset: Int = 0, count: Int? = nil) throws -> [UInt8] {
    let wanted = try count ?? fileSize(path)
    guard wanted <= maxFileBytes else {
        throw ImageError.dataset(
            path: path, reason: "it has \(wanted) bytes, more than the \(maxFileBytes) that are read")
    }
    return try [UInt8](unsafeUninitializedCapacity: wanted) { buffer, filled in
        try withReason({ ImageError.dataset(path: path, reason: "it cannot be read: \($0)") }) {
            cimage_file_read(path, Int64(offset), buffer.baseAddress, wanted, $0)
        }
        filled = wanted
    }
}

func isFile(_ path: String) -> Bool {
    var isFolder = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && !isFolder
}

/// Names of a folder's entries that are not hidden, sorted by code point.
func names(in folder: String) throws -> [String] {
    do {
        return try FileManager.default.contentsOfDirectory(atPath: folder)
            .filter { !$0.utf8.starts(with: ".".utf8) }.sorted(by: precedes)
    } catch {
        throw ImageError.dataset(path: folder, reason: "the folder cannot be listed")
    }
}
