import Foundation
import GRDB

/// The results of one sweep: the SQLite file `results.sqlite` in a results folder.
///
/// A sweep appends one wave per transaction, so a process that dies loses at most the wave it was writing. While it
/// is written the file is in WAL mode, so that others can read it; `close()` folds the log in, and the store is one
/// file that can be copied and read from anywhere. Safe to use from several threads.
package final class ResultsStore: Sendable {
    /// The results folder
    package let folder: String
    /// `folder/results.sqlite`
    package let path: String
    /// As it was when the store was created or opened
    package let manifest: Manifest

    let queue: DatabaseQueue
    private let lock: FolderLock?

    private init(folder: String, queue: DatabaseQueue, manifest: Manifest, lock: FolderLock?) {
        self.folder = folder
        path = Self.path(in: folder)
        self.queue = queue
        self.manifest = manifest
        self.lock = lock
    }

    package static func path(in folder: String) -> String {
        folder.hasSuffix("/") ? folder + "results.sqlite" : folder + "/results.sqlite"
    }

    /// Makes an empty store, and its folder if need be. With `overwrite` a store that is there is replaced; other
    /// files in the folder are never touched. A kill leaves either the old store or the new one.
    ///
    /// - Throws: `ResultsError.exists`, `.notAStore` (a foreign `results.sqlite` is not replaced), `.inUse`,
    ///   `.readOnly`, `.failed`
    package static func create(folder: String, manifest: Manifest, overwrite: Bool = false) throws -> ResultsStore {
        let path = path(in: folder)
        let files = FileManager.default
        if files.fileExists(atPath: path), !overwrite { throw ResultsError.exists(path: path) }
        do {
            try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw creationError(error, path: folder)
        }
        let lock = try FolderLock(folder: folder)
        switch try identify(path) {
        case .missing: break
        case .ours where overwrite: break
        case .ours: throw ResultsError.exists(path: path)
        case .other: throw ResultsError.notAStore(path: path)
        }
        let fresh = path + ".new"
        do {
            try removeStore(at: fresh)
            let queue = try DatabaseQueue(path: fresh, configuration: configuration(readOnly: false))
            try queue.write { try write(manifest, into: $0) }
            try queue.close()
            try removeStore(at: path)
            try files.moveItem(atPath: fresh, toPath: path)
        } catch {
            try? removeStore(at: fresh)
            throw creationError(error, path: path)
        }
        return try open(folder: folder, readOnly: false, lock: lock)
    }

    /// Opens a store, also one whose sweep was killed or is still running (`readOnly` then).
    ///
    /// - Throws: `ResultsError.missing`, `.notAStore`, `.version`, `.corrupt`, `.inUse`, `.readOnly`, `.failed`
    package static func open(folder: String, readOnly: Bool = true) throws -> ResultsStore {
        let path = path(in: folder)
        switch try identify(path) {
        case .missing where folder.isEmpty || isFile(folder): throw ResultsError.notAFolder(path: folder)
        case .missing: throw ResultsError.missing(path: path)
        case .other: throw ResultsError.notAStore(path: path)
        case .ours(let version) where !(Schema.oldest...Schema.version).contains(version):
            throw ResultsError.version(path: path, found: version, known: Schema.version)
        case .ours(let version) where !readOnly && version != Schema.version:
            throw ResultsError.outdated(path: path, found: version, known: Schema.version)
        case .ours: break
        }
        return try open(folder: folder, readOnly: readOnly, lock: readOnly ? nil : FolderLock(folder: folder))
    }

    private static func open(folder: String, readOnly: Bool, lock: FolderLock?) throws -> ResultsStore {
        let path = path(in: folder)
        func open() throws -> ResultsStore {
            let queue = try DatabaseQueue(path: path, configuration: configuration(readOnly: readOnly))
            let manifest = try queue.read { try readManifest($0, path: path) }
            return ResultsStore(folder: folder, queue: queue, manifest: manifest, lock: lock)
        }
        do {
            do {
                return try open()
            } catch let error as DatabaseError where readOnly && error.resultCode == .SQLITE_READONLY {
                try rollBack(folder: folder)
                return try open()
            }
        } catch {
            let isWritable = FileManager.default.isWritableFile(atPath: folder)
            if readOnly, !isWritable, let error = error as? DatabaseError,
                [.SQLITE_CANTOPEN, .SQLITE_READONLY].contains(error.resultCode)
            {
                throw ResultsError.failed(
                    action: "open", path: path,
                    detail: "its sweep did not end in order and the folder is read-only; copy the folder first")
            }
            throw ResultsError(error, path: path, action: "open")
        }
    }

    /// Folds the log into `results.sqlite`. The store is closed without it too, when the last reference goes.
    package func close() throws {
        do {
            if lock != nil {
                // Fails harmlessly while somebody reads: the log then stays beside the file.
                try? queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA journal_mode = DELETE") }
            }
            try queue.close()
            lock?.release()
        } catch {
            throw ResultsError(error, path: path, action: "close")
        }
    }

    /// Runs `body` on the database and names this store in what it throws.
    func read<T>(_ body: (Database) throws -> T) throws -> T {
        do {
            return try queue.read(body)
        } catch {
            throw ResultsError(error, path: path, action: "read")
        }
    }

    /// The same, in one transaction that is rolled back when `body` throws.
    func write<T>(_ body: (Database) throws -> T) throws -> T {
        do {
            return try queue.write(body)
        } catch {
            throw ResultsError(error, path: path, action: "write")
        }
    }
}

// MARK: - Opening and creating

extension ResultsStore {
    private static func configuration(readOnly: Bool) -> Configuration {
        var configuration = Configuration()
        configuration.readonly = readOnly
        configuration.busyMode = .timeout(5)
        if !readOnly { configuration.journalMode = .wal }
        return configuration
    }

    /// Undoes a write that a kill left half done while the log was folded in, which a reader must not do itself.
    private static func rollBack(folder: String) throws {
        let lock = try FolderLock(folder: folder)
        let queue = try DatabaseQueue(path: path(in: folder))
        try queue.write { try $0.execute(sql: "SELECT 1 FROM manifest") }
        try queue.close()
        lock.release()
    }

    private enum Identity: Equatable {
        case missing, other
        case ours(version: Int)
    }

    /// Reads the 100-byte header of an SQLite file (sqlite.org/fileformat.html, section 1.3): magic text,
    /// user_version at byte 60, application_id at 68, both big-endian.
    private static func identify(_ path: String) throws -> Identity {
        guard FileManager.default.fileExists(atPath: path) else { return .missing }
        var header = [UInt8](repeating: 0, count: 100)
        let descriptor = Foundation.open(path, O_RDONLY | O_CLOEXEC)
        let count = descriptor < 0 ? -1 : Foundation.read(descriptor, &header, header.count)
        if count < 0 {
            let detail = String(cString: strerror(errno))
            if descriptor >= 0 { _ = Foundation.close(descriptor) }
            throw ResultsError.failed(action: "read", path: path, detail: detail)
        }
        _ = Foundation.close(descriptor)
        guard count == 100, header.starts(with: Array("SQLite format 3\0".utf8)) else { return .other }
        func word(_ at: Int) -> UInt32 { header[at..<at + 4].reduce(0) { $0 << 8 | UInt32($1) } }
        return word(68) == Schema.applicationID ? .ours(version: Int(word(60))) : .other
    }

    private static func isFile(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && !isFolder.boolValue
    }

    private static func removeStore(at path: String) throws {
        for suffix in ["-wal", "-shm", "-journal", ""] where FileManager.default.fileExists(atPath: path + suffix) {
            try FileManager.default.removeItem(atPath: path + suffix)
        }
    }

    /// What the system says, without Foundation's words around it.
    private static func reason(_ error: CocoaError) -> String {
        if error.code == .fileWriteFileExists { return "there is a file of this name" }
        let cause = error.userInfo[NSUnderlyingErrorKey] as? NSError
        return (cause?.domain == NSPOSIXErrorDomain ? cause.map { String(cString: strerror(Int32($0.code))) } : nil)
            ?? "the system refuses"
    }

    /// What Foundation or SQLite say when a file cannot be made.
    private static func creationError(_ error: any Error, path: String) -> ResultsError {
        if let error = error as? CocoaError {
            switch error.code {
            case .fileWriteNoPermission, .fileWriteVolumeReadOnly: return .readOnly(path: path)
            case .fileWriteOutOfSpace: return .failed(action: "create", path: path, detail: "the disk is full")
            default: return .failed(action: "create", path: path, detail: reason(error))
            }
        }
        if let error = error as? DatabaseError, error.resultCode == .SQLITE_CANTOPEN {
            let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
            if !FileManager.default.isWritableFile(atPath: folder) { return .readOnly(path: path) }
        }
        let own = ResultsError(error, path: path, action: "create")
        return own == .diskFull(path: path) ? .failed(action: "create", path: path, detail: "the disk is full") : own
    }

    private static func write(_ manifest: Manifest, into db: Database) throws {
        try db.execute(sql: "PRAGMA application_id = \(Schema.applicationID)")
        try db.execute(sql: "PRAGMA user_version = \(Schema.version)")
        try db.execute(sql: Schema.sql)
        if manifest.logits { try db.execute(sql: Schema.logits) }
        for row in manifest.rows {
            try db.execute(sql: "INSERT INTO manifest VALUES (?, ?)", arguments: [row.key, row.value])
        }
        for (index, spec) in manifest.corruptions.enumerated() {
            try db.execute(sql: "INSERT INTO corruptions VALUES (?, ?)", arguments: [index, spec])
        }
        for (index, p) in manifest.patches.enumerated() {
            try db.execute(
                sql: "INSERT INTO patches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                arguments: [index, p.direction, p.site, p.layer, p.head, p.token, p.window, p.control, p.extent])
        }
    }

    private static func readManifest(_ db: Database, path: String) throws -> Manifest {
        var rows: [String: String] = [:]
        var cursor = try Cursor(db, "SELECT key, value FROM manifest")
        while try cursor.next() { rows[cursor.text(0)] = cursor.text(1) }

        var corruptions: [String] = []
        cursor = try Cursor(db, "SELECT corruption, spec FROM corruptions ORDER BY corruption")
        while try cursor.next() {
            guard cursor.int(0) == corruptions.count else {
                throw ResultsError.corrupt(path: path, detail: "corruption \(corruptions.count) is missing")
            }
            corruptions.append(cursor.text(1))
        }
        var patches: [PatchRecord] = []
        cursor = try Cursor(db, "PRAGMA user_version")
        let control = try cursor.next() && cursor.int(0) >= 2 ? "control, extent" : "0, ''"
        cursor = try Cursor(
            db, "SELECT patch, direction, site, layer, head, token, window, \(control) FROM patches ORDER BY patch")
        while try cursor.next() {
            guard cursor.int(0) == patches.count else {
                throw ResultsError.corrupt(path: path, detail: "patch \(patches.count) is missing")
            }
            patches.append(
                PatchRecord(
                    direction: cursor.text(1), site: cursor.text(2), layer: cursor.text(3), head: cursor.text(4),
                    token: cursor.text(5), window: cursor.text(6), control: cursor.int(7) != 0, extent: cursor.text(8)))
        }
        return try Manifest(rows: rows, corruptions: corruptions, patches: patches, path: path)
    }
}
