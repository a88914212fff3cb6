import Foundation
import Synchronization
import Testing

@testable import Files

struct AtomicFileTests {
    let folder = FileManager.default.temporaryDirectory.path + "/vitpatch-\(UUID().uuidString)"

    init() throws { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }

    private func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder).sorted() }
    private func text(_ path: String) throws -> String {
        String(decoding: try InputFile.read(path, limit: 1 << 24), as: UTF8.self)
    }
    private func remove() { try? FileManager.default.removeItem(atPath: folder) }

    /// Writes at offsets in any order, with zeros between.
    @Test func bytesAtPlacesOfTheirOwn() throws {
        defer { remove() }
        let path = folder + "/a", file = try AtomicFile(path)
        try file.write("head")
        try file.grow(to: 12)
        for (text, place) in [("cd", 9), ("ab", 6)] {
            try Array(text.utf8).withUnsafeBytes { try file.write($0, at: place) }
        }
        try file.close()
        #expect(try text(path) == "head\0\0ab\0cd\0")
        let pipe = try AtomicFile("/dev/null")
        #expect(throws: FileError.self) { try Array("x".utf8).withUnsafeBytes { try pipe.write($0, at: 1) } }
    }

    @Test func aFileIsThereWhenItIsClosed() throws {
        defer { remove() }
        let path = folder + "/a.csv", long = String(repeating: "0123456789", count: 100_000)
        let file = try AtomicFile(path)
        try file.write(long)
        try file.write("end")
        #expect(!FileManager.default.fileExists(atPath: path))
        try file.close()
        try file.close()
        #expect(try text(path) == long + "end" && names() == ["a.csv"])
        var info = stat()
        #expect(stat(path, &info) == 0 && info.st_mode & 0o777 == 0o644)
    }

    @Test func whatIsThereStaysUntilThenAndKeepsItsPermissions() throws {
        defer { remove() }
        let path = folder + "/a.csv"
        try AtomicFile.write("old".utf8, to: path)
        chmod(path, 0o640)
        do {
            let dropped = try AtomicFile(path)
            try dropped.write(String(repeating: "x", count: 1 << 20))
        }
        #expect(try text(path) == "old" && names() == ["a.csv"])
        try AtomicFile.write("new".utf8, to: path)
        var info = stat()
        #expect(try text(path) == "new" && stat(path, &info) == 0 && info.st_mode & 0o777 == 0o640)
    }

    @Test func linksAreFollowed() throws {
        defer { remove() }
        try FileManager.default.createDirectory(atPath: folder + "/sub", withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: folder + "/link", withDestinationPath: "sub/real")
        for word in ["first", "second"] {  // a dangling link, then a link to a file
            try AtomicFile.write(word.utf8, to: folder + "/link")
            #expect(try text(folder + "/sub/real") == word)
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder + "/link") == "sub/real")
        }
        try FileManager.default.createSymbolicLink(atPath: folder + "/loop", withDestinationPath: "loop")
        #expect(throws: FileError.self) { try AtomicFile.write([], to: folder + "/loop/x") }
    }

    @Test func inputsAreNotReplaced() throws {
        defer { remove() }
        let input = folder + "/in.json", database = folder + "/x"
        try FileManager.default.createDirectory(atPath: folder + "/model", withIntermediateDirectories: true)
        for path in [input, folder + "/model/config.json"] { try AtomicFile.write("input".utf8, to: path) }
        try AtomicFile.write("SQLite format 3\0 and more".utf8, to: database)
        try FileManager.default.createSymbolicLink(atPath: folder + "/link", withDestinationPath: "in.json")
        link(input, folder + "/hard")
        let inputs = [input, folder + "/model", folder + "/later.sqlite"]
        for path in [
            input, folder + "/./model/../in.json", folder + "/link", folder + "/hard", folder + "/model/config.json",
            folder + "/later.sqlite", database,
        ] {
            let error = #expect(throws: FileError.self, "\(path)") { try AtomicFile(path, keeping: inputs) }
            #expect(error?.description.hasPrefix("cannot write \(path): ") == true)
        }
        try AtomicFile.write("new".utf8, to: folder + "/model/new.json", keeping: inputs)
        #expect(try text(input) == "input" && text(folder + "/model/config.json") == "input")
        // A store created while the output is written
        let file = try AtomicFile(folder + "/late")
        try AtomicFile.write("SQLite format 3\0".utf8, to: folder + "/late")
        #expect(throws: FileError.self) { try file.close() }
        #expect(try text(folder + "/late") == "SQLite format 3\0")
    }

    @Test func placesThatCannotBeWritten() throws {
        defer { remove() }
        for (path, reason) in [
            ("", "the name is empty"), (folder, "a folder has that name"), (folder + "/new/", "a folder has that name"),
            (folder + "/no/file", "No such file or directory"),
        ] {
            let error = #expect(throws: FileError.self) { try AtomicFile(path) }
            #expect(error?.description == "cannot write \(path): \(reason)")
        }
        let full = try AtomicFile("/dev/full")
        try full.write("x")
        #expect(throws: FileError(action: "write", path: "/dev/full", reason: "the disk is full")) { try full.close() }
        #expect(try names() == [])
    }

    /// The reader has its own thread: tests share as many threads as there are cores, and both ends block.
    @Test func aFIFOGetsTheBytesAsTheyCome() throws {
        defer { remove() }
        let path = folder + "/fifo"
        #expect(mkfifo(path, 0o600) == 0)
        let read = Mutex<Data?>(nil), done = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            let data = try? FileHandle(forReadingFrom: URL(fileURLWithPath: path)).readToEnd()
            read.withLock { $0 = data }
            done.signal()
        }
        try AtomicFile.write("through".utf8, to: path)
        done.wait()
        #expect(read.withLock { $0 } == Data("through".utf8))
        #expect(FileKind(path) == .special("a named pipe"))
    }

    @Test func onlyRegularFilesAreRead() throws {
        defer { remove() }
        #expect(mkfifo(folder + "/fifo", 0o600) == 0)
        for (path, error) in [
            (folder + "/fifo", InputError.special("a named pipe")), (folder, .folder),
            ("/dev/zero", .special("a device")), (folder + "/none", .missing), ("", .unnamed),
        ] {
            #expect(throws: error) { try InputFile.read(path, limit: 100) }
        }
        let bytes = (0..<9_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        try AtomicFile.write(bytes, to: folder + "/large")
        #expect(try InputFile.read(folder + "/large", limit: bytes.count) == Data(bytes))
        #expect(throws: InputError.tooLarge(limit: bytes.count - 1)) {
            try InputFile.read(folder + "/large", limit: bytes.count - 1)
        }
    }
}
