import Foundation
import GRDB

/// Why a results store could not be made, opened, written or read. `description` is one sentence naming the file.
package enum ResultsError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The folder already holds a store.
    case exists(path: String)
    /// The folder holds no store.
    case missing(path: String)
    /// The name is empty or that of a file.
    case notAFolder(path: String)
    /// The file exists, but vitpatch did not write it.
    case notAStore(path: String)
    /// The store was written with a layout this version does not know.
    case version(path: String, found: Int, known: Int)
    /// The file was removed or replaced while it was written to.
    case removed(path: String)
    /// Another sweep is writing to the folder.
    case inUse(folder: String)
    /// The store holds another sweep; `differences` are phrases from `Manifest.differences(from:)`.
    case differs(path: String, differences: [String])
    case diskFull(path: String)
    case readOnly(path: String)
    case corrupt(path: String, detail: String)
    /// A record the engine handed over does not fit the store's manifest.
    case invalidRecord(path: String, detail: String)
    /// Shards that do not make one sweep.
    case cannotMerge(reason: String)
    /// Anything else the system or SQLite reports.
    case failed(action: String, path: String, detail: String)

    package var description: String {
        switch self {
        case .exists(let path):
            "\(path) already exists; --resume continues it, --overwrite replaces it"
        case .missing(let path):
            "\(path) does not exist, so its folder is not a results folder"
        case .notAFolder(let path):
            path.isEmpty
                ? "the name of the results folder is empty" : "\(path) is a file; give the results folder that it is in"
        case .notAStore(let path):
            "\(path) is not a vitpatch results store; it is left as it is"
        case .version(let path, let found, let known):
            "\(path) has schema version \(found), and this vitpatch reads up to version \(known)"
        case .removed(let path):
            "\(path) was removed or replaced while it was written, and its results with it"
        case .inUse(let folder):
            "\(folder) is being written by another vitpatch process"
        case .differs(let path, let differences):
            "\(path) holds another sweep: \(differences.joined(separator: "; "))"
        case .diskFull(let path):
            "\(path) cannot grow because the disk is full; the waves finished so far are kept"
        case .readOnly(let path):
            "\(path) cannot be written: read-only file, folder or file system"
        case .corrupt(let path, let detail):
            "\(path) is damaged: \(detail)"
        case .invalidRecord(let path, let detail):
            "\(path) cannot take a record: \(detail)"
        case .cannotMerge(let reason): "cannot merge: \(reason)"
        case .failed(let action, let path, let detail):
            "cannot \(action) \(path): \(detail)"
        }
    }

    /// Converts an error of SQLite on the store at `path`.
    init(_ error: any Error, path: String, action: String) {
        if let own = error as? ResultsError {
            self = own
            return
        }
        guard let error = error as? DatabaseError else {
            self = .failed(action: action, path: path, detail: "\(error)")
            return
        }
        let detail = error.message ?? "SQLite error \(error.extendedResultCode.rawValue)"
        switch error.resultCode {
        case .SQLITE_FULL: self = .diskFull(path: path)
        case .SQLITE_IOERR where Self.fileSizeLimit != nil:
            self = .failed(
                action: action, path: path,
                detail: "\(detail); files are limited to \(Self.fileSizeLimit ?? 0) bytes here (ulimit -f)")
        // SQLite reports SQLITE_IOERR if the disk has no room for its shared memory file.
        case .SQLITE_IOERR where Self.isFull(path): self = .diskFull(path: path)
        case .SQLITE_READONLY, .SQLITE_PERM: self = .readOnly(path: path)
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: self = .corrupt(path: path, detail: detail)
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            self = .failed(action: action, path: path, detail: "it is locked by another process")
        default: self = .failed(action: action, path: path, detail: detail)
        }
    }

    /// nil if files may have any size
    private static var fileSizeLimit: UInt? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0, limit.rlim_cur < UInt(Int.max) else {
            return nil
        }
        return limit.rlim_cur
    }

    /// Whether the disk has no room for another 64 KiB.
    private static func isFull(_ path: String) -> Bool {
        var disk = statvfs()
        guard statvfs(URL(fileURLWithPath: path).deletingLastPathComponent().path, &disk) == 0 else { return false }
        return disk.f_bavail < 65536 / max(UInt(disk.f_frsize), 1)
    }
}
