import Files
import Foundation
import GRDB

extension ResultsStore {
    /// Opens a store, also one whose sweep was killed or, with `readOnly`, is still running.
    ///
    /// - Throws: `ResultsError.missing`, `.notAStore`, `.version`, `.corrupt`, `.inUse`, `.readOnly`, `.failed`
    package static func open(folder: String, readOnly: Bool = true) throws -> ResultsStore {
        try open(folder: folder, readOnly: readOnly) { _ in }
    }

    /// - Parameter check: is given the manifest before an older store is migrated to the current version
    static func open(
        folder: String, readOnly: Bool, check: (Manifest) throws -> Void
    ) throws -> ResultsStore {
        let path = path(in: folder)
        switch try Identity(path) {
        case .missing where folder.isEmpty || isFile(folder): throw ResultsError.notAFolder(path: folder)
        case .missing: throw ResultsError.missing(path: path)
        case .other: throw ResultsError.notAStore(path: path)
        case .ours(let version) where !(Schema.oldest...Schema.version).contains(version):
            throw ResultsError.version(path: path, found: version, known: Schema.version)
        case .ours: break
        }
        if readOnly { return try openForReading(folder: folder) }
        return try openForWriting(folder: folder, lock: FolderLock(folder: folder), check: check)
    }

    private static func isFile(_ path: String) -> Bool { ![.missing, .folder].contains(FileKind(path)) }

    private static func openForReading(folder: String) throws -> ResultsStore {
        let path = path(in: folder)
        func open() throws -> ResultsStore {
            let queue = try DatabaseQueue(path: path, configuration: configuration(readOnly: true))
            let (manifest, schema) = try queue.read {
                try Schema.check($0, path: path)
                return (try Manifest(reading: $0, path: path), try Schema.version($0))
            }
            return ResultsStore(folder: folder, queue: queue, manifest: manifest, schema: schema)
        }
        do {
            do {
                return try open()
            } catch let error as DatabaseError where error.resultCode == .SQLITE_READONLY || error.isOfSharedMemory {
                // A kill left a half-done write, which a reader does not roll back, or a log that a reader cannot read.
                let lock = try FolderLock(folder: folder)
                // The original error says more than that of the repair.
                do { try settle(path) } catch _ { throw error }
                lock.release()
                return try open()
            }
        } catch {
            let isWritable = access(folder, W_OK) == 0
            if !isWritable, let error = error as? DatabaseError,
                [.SQLITE_CANTOPEN, .SQLITE_READONLY].contains(error.resultCode)
            {
                throw ResultsError.failed(
                    action: "open", path: path,
                    detail: "its sweep did not end in order and the folder is read-only; copy the folder first")
            }
            throw ResultsError(error, path: path, action: "open")
        }
    }

    static func openForWriting(
        folder: String, lock: FolderLock, check: (Manifest) throws -> Void = { _ in }
    ) throws -> ResultsStore {
        let path = path(in: folder)
        do {
            let queue = try writer(path)
            let manifest = try queue.read {
                try Schema.check($0, path: path)
                return try Manifest(reading: $0, path: path)
            }
            try check(manifest)
            try Schema.migrator.migrate(queue)
            return ResultsStore(folder: folder, queue: queue, manifest: manifest, lock: lock)
        } catch {
            throw ResultsError(error, path: path, action: "open")
        }
    }

    // MARK: Connections

    static func configuration(readOnly: Bool = false, exclusive: Bool = false, busy: TimeInterval = 5) -> Configuration
    {
        var configuration = Configuration()
        configuration.readonly = readOnly
        configuration.busyMode = .timeout(busy)
        configuration.prepareDatabase { db in
            // Functions that a file's schema names are not run; check(_:path:) refuses the rest.
            try db.execute(sql: "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON")
            // With only one connection, the log's index is in its own memory and not in a shared file.
            if exclusive { try db.execute(sql: "PRAGMA locking_mode = EXCLUSIVE") }
        }
        return configuration
    }

    /// In WAL mode, or with a rollback journal where the file system has no shared memory (NFS, Lustre, GPFS).
    private static func writer(_ path: String) throws -> DatabaseQueue {
        do {
            let queue = try DatabaseQueue(path: path, configuration: configuration())
            try queue.writeWithoutTransaction { db in
                try db.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
                try db.execute(sql: "BEGIN IMMEDIATE; COMMIT")  // maps the memory
            }
            return queue
        } catch let error as DatabaseError where error.isOfSharedMemory {
            do { try settle(path) } catch _ { throw error }
            // With a rollback journal readers block the writer, which waits for them.
            return try DatabaseQueue(path: path, configuration: configuration(busy: 600))
        }
    }

    /// Makes a store one file: folds in the log, or rolls back a half-done write. Needs the folder's lock, and no
    /// shared memory.
    static func settle(_ path: String) throws {
        let queue = try DatabaseQueue(path: path, configuration: configuration(exclusive: true))
        try queue.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA journal_mode = DELETE; BEGIN IMMEDIATE; COMMIT")
        }
        try queue.close()
        unlink(path + "-shm")  // of another connection that failed
    }

    /// The kind of file at the store's path.
    enum Identity: Equatable {
        case missing, other
        case ours(version: Int)

        /// Reads the 100-byte header of an SQLite file (sqlite.org/fileformat.html, section 1.3): magic text,
        /// user_version at byte 60, application_id at 68, both big-endian. Only a regular file is opened.
        init(_ path: String) throws {
            for companion in ResultsStore.companions {
                switch FileKind(path + companion) {
                case .missing, .file: break
                case .folder, .special: throw ResultsError.notAStore(path: path + companion)
                }
            }
            switch FileKind(path) {
            case .missing:
                self = .missing
                return
            case .folder, .special:
                self = .other
                return
            case .file: break
            }
            let descriptor = Foundation.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
            var header = [UInt8](repeating: 0, count: 100)
            let count = descriptor < 0 ? -1 : Foundation.read(descriptor, &header, header.count)
            let detail = String(cString: strerror(errno))
            if descriptor >= 0 { _ = Foundation.close(descriptor) }
            if count < 0 { throw ResultsError.failed(action: "read", path: path, detail: detail) }
            guard count == 100, header.starts(with: Array("SQLite format 3\0".utf8)) else {
                self = .other
                return
            }
            func word(_ at: Int) -> UInt32 { header[at..<at + 4].reduce(0) { $0 << 8 | UInt32($1) } }
            self = word(68) == Schema.applicationID ? .ours(version: Int(word(60))) : .other
        }
    }
}

extension DatabaseError {
    /// Whether it comes from a file system that cannot share the log's index between processes.
    fileprivate var isOfSharedMemory: Bool {
        let codes: [ResultCode] = [
            .SQLITE_IOERR_SHMOPEN, .SQLITE_IOERR_SHMSIZE, .SQLITE_IOERR_SHMLOCK, .SQLITE_IOERR_SHMMAP,
        ]
        return codes.contains(extendedResultCode) || [.SQLITE_CANTOPEN, .SQLITE_PROTOCOL].contains(resultCode)
    }
}
