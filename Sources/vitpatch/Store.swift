import Files
import Results
import Spec

/// Results folders that the command line names.
enum Store {
    static func open(_ folder: String) throws -> ResultsStore {
        try check(folder)
        return try ResultsStore.open(folder: folder)
    }

    /// Throws for a pipe or a device in place of the store, without opening it.
    static func check(_ folder: String) throws {
        let path = ResultsStore.path(in: folder)
        do {
            try InputFile.check(path)
        } catch {
            guard case .special = error else { return }
            throw CommandError("\(path) cannot be read: \(error)")
        }
    }
}
