import Files
import Foundation
import GRDB

/// The results of one sweep: the SQLite file `results.sqlite` in a results folder.
///
/// A sweep appends one wave per transaction, so a process that dies loses at most the wave it was writing. While it
/// is written the file is in WAL mode, so that others can read it; `close()` folds the log in, and the store is one
/// file that can be copied and read from anywhere. Where a file system cannot share memory, as WAL needs it, the file
/// has a rollback journal. Safe to use from several threads.
package final class ResultsStore: Sendable {
    /// The results folder
    package let folder: String
    /// `folder/results.sqlite`
    package let path: String
    /// As it was when the store was created or opened
    package let manifest: Manifest

    let queue: DatabaseQueue
    /// Of the file: an older one where it is only read
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

    /// The store's file and those that SQLite has beside it at times: nothing else may write to these.
    package static func files(in folder: String) -> [String] {
        ([""] + companions).map { path(in: folder) + $0 }
    }

    static let companions = ["-wal", "-shm", "-journal"]

    /// Folds the log into `results.sqlite`. The store is closed without it too, when the last reference goes.
    package func close() throws {
        do {
            if lock != nil {
                // Fails harmlessly while somebody reads: the log then stays beside the file.
                try? queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA journal_mode = DELETE") }
            }
            try queue.close()
            try checkIsThere()
            lock?.release()
        } catch {
            throw ResultsError(error, path: path, action: "close")
        }
    }

    /// Runs `body` on the database and names this store in what it throws.
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

    /// A file that somebody removed can be written to, and is gone with its last writer.
    private func checkIsThere() throws {
        if let file, FileIdentity(path) != file { throw ResultsError.removed(path: path) }
    }
}
