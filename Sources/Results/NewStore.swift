import Files
import Foundation
import GRDB

/// A results folder before its new store is made: all checks are done, the folder is locked, and nothing in it has
/// changed. `make()` puts the store there by one rename, so a kill at any moment leaves the old store or the new one.
package final class NewStore: Sendable {
    let folder: String
    private let manifest: Manifest
    private let groups: [ImageGroups]
    private let dataset: [ListedImage]
    private let overwrite: Bool
    private let lock: FolderLock
    private let madeFolder: Bool
    private let identity: FileIdentity?

    private var path: String { ResultsStore.path(in: folder) }

    /// - Parameters:
    ///   - dataset: the images that the sweep begins with, if they are files
    ///   - overwrite: whether an existing store may be replaced; other files are never touched
    /// - Throws: `ResultsError.exists`, `.notAStore` (a foreign `results.sqlite` is not replaced), `.inUse`,
    ///   `.readOnly`, `.notAFolder`, `.failed`
    package init(
        folder: String, manifest: Manifest, groups: [ImageGroups] = [], dataset: [ListedImage] = [],
        overwrite: Bool = false
    ) throws {
        (self.folder, self.manifest, self.groups, self.overwrite) = (folder, manifest, groups, overwrite)
        self.dataset = dataset
        let path = ResultsStore.path(in: folder)
        if folder.isEmpty { throw ResultsError.notAFolder(path: folder) }
        try Self.check(path, overwrite: overwrite)
        madeFolder = FileKind(folder) == .missing
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw Self.error(error, path: folder)
        }
        identity = FileIdentity(folder)
        lock = try FolderLock(folder: folder)
        try Self.check(path, overwrite: overwrite)
        if access(folder, W_OK) != 0 { throw ResultsError.readOnly(path: path) }
    }

    /// Removes a folder that was made and stayed empty.
    deinit { if madeFolder { rmdir(folder) } }

    /// Puts an empty store into the folder and opens it.
    package func make() throws -> ResultsStore {
        try write(inWAL: true) { _ in }
        return try ResultsStore.openForWriting(folder: folder, lock: lock)
    }

    /// Builds the store under a temporary name, fills it and renames it into place.
    ///
    /// - Parameters:
    ///   - inWAL: leaves the file in WAL mode, for a store that is written to next
    ///   - fill: fills the store; if it throws, the folder stays as it was
    func write(inWAL: Bool = false, _ fill: (ResultsStore) throws -> Void) throws {
        guard FileIdentity(folder) == identity else { throw ResultsError.removed(path: folder) }
        try removeRemains()
        let temporary = Self.temporaryPath(in: folder)
        do {
            // An incomplete file is discarded, so it needs neither journal nor log.
            let queue = try DatabaseQueue(path: temporary, configuration: ResultsStore.configuration(exclusive: true))
            try queue.writeWithoutTransaction {
                try $0.execute(sql: "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
            }
            try Schema.migrator.migrate(queue)
            try queue.write { db in
                try manifest.write(into: db)
                try groups.write(into: db)
                try dataset.write(into: db)
            }
            try fill(ResultsStore(folder: folder, queue: queue, manifest: manifest))
            if inWAL { try queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA journal_mode = WAL") } }
            try queue.close()
            try Self.sync(temporary)
            try Self.check(path, overwrite: overwrite)
            try clear()
            guard rename(temporary, path) == 0 else {
                throw FileError(action: "create", path: path, reason: Self.text(errno))
            }
            syncFolder(folder)
        } catch {
            for suffix in [""] + ResultsStore.companions { unlink(temporary + suffix) }
            throw Self.error(error, path: path)
        }
    }

    /// Folds the files beside an old store (log, journal) into it and removes them: SQLite would take them for the new
    /// one's.
    private func clear() throws {
        let beside = ResultsStore.companions.map { path + $0 }
        guard beside.contains(where: { FileKind($0) != .missing }) else { return }
        if FileKind(path) != .missing {
            do {
                try ResultsStore.settle(path)
            } catch let error as DatabaseError
                where [.SQLITE_CORRUPT, .SQLITE_NOTADB].contains(error.resultCode)
            {
                // A damaged store has nothing to keep.
            }
        }
        for file in beside { unlink(file) }
    }

    private static func check(_ path: String, overwrite: Bool) throws {
        switch try ResultsStore.Identity(path) {
        case .missing: break
        case .ours where overwrite: break
        case .ours: throw ResultsError.exists(path: path)
        case .other: throw ResultsError.notAStore(path: path)
        }
    }

    // MARK: Temporary files

    private static let prefix = ".results.sqlite."

    private static func temporaryPath(in folder: String) -> String {
        let digits = String(UInt64.random(in: 0 ... .max), radix: 16)
        return "\(folder)/\(prefix)\(String(repeating: "0", count: 16 - digits.count))\(digits)"
    }

    /// Removes temporary files of killed processes; the lock rules out running ones.
    private func removeRemains() throws {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        where name.hasPrefix(Self.prefix) {
            var digits = name.dropFirst(Self.prefix.count)
            for suffix in ResultsStore.companions where digits.hasSuffix(suffix) { digits.removeLast(suffix.count) }
            if digits.utf8.count == 16, digits.allSatisfy(\.isHexDigit) { unlink("\(folder)/\(name)") }
        }
    }

    private static func sync(_ path: String) throws {
        let descriptor = open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError(action: "create", path: path, reason: Self.text(errno)) }
        defer { close(descriptor) }
        if fsync(descriptor) != 0, errno != EINVAL, errno != ENOTSUP {
            throw FileError(action: "create", path: path, reason: Self.text(errno))
        }
    }

    private static func text(_ code: Int32) -> String {
        code == ENOSPC || code == EDQUOT ? "the disk is full" : String(cString: strerror(code))
    }

    /// Converts an error of Foundation or SQLite on making a file.
    private static func error(_ error: any Error, path: String) -> any Error {
        let full = ResultsError.failed(action: "create", path: path, detail: "the disk is full")
        if let error = error as? FileError {
            return ResultsError.failed(action: "create", path: path, detail: error.reason)
        }
        if let error = error as? CocoaError {
            switch error.code {
            case .fileWriteNoPermission, .fileWriteVolumeReadOnly: return ResultsError.readOnly(path: path)
            case .fileWriteOutOfSpace: return full
            case .fileWriteFileExists: return ResultsError.notAFolder(path: path)
            default:
                let detail = FileKind(path) == .missing ? "a folder cannot be created there" : "it is not a folder"
                return ResultsError.failed(action: "create", path: path, detail: detail)
            }
        }
        guard let error = error as? DatabaseError else {
            return error as? ResultsError == .diskFull(path: path) ? full : error
        }
        if error.resultCode == .SQLITE_CANTOPEN, access(AtomicFile.folder(of: path), W_OK) != 0 {
            return ResultsError.readOnly(path: path)
        }
        let own = ResultsError(error, path: path, action: "create")
        return own == .diskFull(path: path) ? full : own
    }
}

extension ResultsStore {
    /// Makes an empty store, and its folder if need be: see `NewStore`.
    package static func create(
        folder: String, manifest: Manifest, groups: [ImageGroups] = [], overwrite: Bool = false
    ) throws -> ResultsStore {
        try NewStore(folder: folder, manifest: manifest, groups: groups, overwrite: overwrite).make()
    }
}
