import Files
import Foundation
import GRDB

/// The results of one sweep: the SQLite file `results.sqlite` in a results folder.
///
/// A sweep appends one wave per transaction, so a process that dies loses at most the wave it was writing. While it is
/// written the file is in WAL mode, so that others can read it. `close()` folds the log in, which leaves one file that
/// can be copied and read from anywhere. On file systems without shared memory, which WAL needs, the file has a
/// rollback journal. Safe to use from several threads.
package final class ResultsStore: Sendable {
    /// The results folder
    package let folder: String
    /// `folder/results.sqlite`
    package let path: String
    /// As it was when the store was created or opened
    package let manifest: Manifest

    let queue: DatabaseQueue
    /// The file's schema version; older ones are only read
    let schema: Int
    private let lock: FolderLock?
    /// The file that is written to; nil for readers
    private let file: FileIdentity?

    init(
        folder: String, queue: DatabaseQueue, manifest: Manifest, schema: Int = Schema.version, lock: FolderLock? = nil
    ) {
        self.folder = folder
        path = Self.path(in: folder)
        self.queue = queue
        self.manifest = manifest
        self.schema = schema
        self.lock = lock
        file = lock == nil ? nil : FileIdentity(path)
    }

    package static func path(in folder: String) -> String {
        folder.hasSuffix("/") ? folder + "results.sqlite" : folder + "/results.sqlite"
    }

    /// The store's file and those that SQLite may keep beside it; no output may be written to them.
    package static func files(in folder: String) -> [String] {
        ([""] + companions).map { path(in: folder) + $0 }
    }

    static let companions = ["-wal", "-shm", "-journal"]

    /// Folds the log into `results.sqlite`. Without this call the store is closed when its last reference is released.
    package func close() throws {
        do {
            if lock != nil {
                // Fails harmlessly while another process reads: the log then stays beside the file.
                try? queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA journal_mode = DELETE") }
            }
            try queue.close()
            try checkIsThere()
            lock?.release()
        } catch {
            throw ResultsError(error, path: path, action: "close")
        }
    }

    /// Runs `body` on the database; errors name this store.
    func read<T>(_ body: (Database) throws -> T) throws -> T {
        do {
            return try queue.read(body)
        } catch let error as FileError {
            throw error  // of an output that rows are written to
        } catch {
            throw ResultsError(error, path: path, action: "read")
        }
    }

    /// The same, in one transaction that is rolled back when `body` throws.
    func write<T>(_ body: (Database) throws -> T) throws -> T {
        do {
            let result = try queue.write(body)
            try checkIsThere()
            return result
        } catch {
            try checkIsThere()
            throw ResultsError(error, path: path, action: "write")
        }
    }

    /// A removed file can still be written to, and is lost with its last writer.
    private func checkIsThere() throws {
        if let file, FileIdentity(path) != file { throw ResultsError.removed(path: path) }
    }
}
