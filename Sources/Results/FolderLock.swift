import Foundation
import Synchronization

/// One writer per results folder: an advisory lock on the folder itself, which the system releases when the process
/// ends, however it ends. On file systems without such locks there is none.
final class FolderLock: Sendable {
    private let descriptor: Mutex<Int32>  // -1: released

    /// - Throws: `ResultsError.inUse` when another process (or store) holds the lock
    init(folder: String) throws {
        let opened = open(folder, O_RDONLY | O_CLOEXEC)
        guard opened >= 0 else {
            throw ResultsError.failed(action: "open", path: folder, detail: String(cString: strerror(errno)))
        }
        if flock(opened, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
            close(opened)
            throw ResultsError.inUse(folder: folder)
        }
        descriptor = Mutex(opened)
    }

    deinit { release() }

    func release() {
        descriptor.withLock {
            if $0 >= 0 { close($0) }
            $0 = -1
        }
    }
}
