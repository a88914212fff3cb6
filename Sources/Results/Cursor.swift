import GRDB
import GRDBSQLite

/// One prepared statement, stepped by hand. GRDB's rows trap on a column of an unexpected type and cost an allocation
/// each; here any content of a damaged file is read as some number or text.
final class Cursor {
    private let statement: Statement
    private let handle: OpaquePointer
    private let connection: OpaquePointer?

    init(_ db: Database, _ sql: String) throws {
        statement = try db.cachedStatement(sql: sql)
        handle = statement.sqliteStatement
        connection = db.sqliteConnection
        restart()
    }

    // A statement left in the middle of its rows would block the checkpoint of the write-ahead log.
    deinit { sqlite3_reset(handle) }

    /// Resets to before the first row; bound values are kept.
    func restart() { sqlite3_reset(handle) }

    /// - Returns: whether there is a row
    func next() throws -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code:
            let message = connection.flatMap { sqlite3_errmsg($0) }.map { String(cString: $0) }
            sqlite3_reset(handle)
            throw DatabaseError(resultCode: ResultCode(rawValue: code), message: message)
        }
    }

    /// Runs a statement that gives no rows, and makes it ready to run again.
    func run() throws {
        _ = try next()
        sqlite3_reset(handle)
    }

    // Parameters count from 1, as in SQLite.
    func bind(_ index: Int32, _ value: Int) { sqlite3_bind_int64(handle, index, Int64(value)) }
    /// SQLite turns NaN into NULL.
    func bind(_ index: Int32, _ value: Float) { sqlite3_bind_double(handle, index, Double(value)) }
    func bind(_ index: Int32, _ value: String) {
        // SQLITE_TRANSIENT: SQLite keeps its own copy
        sqlite3_bind_text(handle, index, value, -1, unsafeBitCast(-1, to: sqlite3_destructor_type.self))
    }

    func bind(_ index: Int32, _ value: UnsafeRawBufferPointer) {
        sqlite3_bind_blob64(
            handle, index, value.baseAddress, UInt64(value.count), unsafeBitCast(-1, to: sqlite3_destructor_type.self))
    }
    func bindNull(_ index: Int32) { sqlite3_bind_null(handle, index) }

    // Columns count from 0.
    func int(_ column: Int32) -> Int { Int(sqlite3_column_int64(handle, column)) }
    func float(_ column: Int32) -> Float {
        sqlite3_column_type(handle, column) == SQLITE_NULL ? .nan : Float(sqlite3_column_double(handle, column))
    }
    func bytes(_ column: Int32) -> [UInt8] {
        guard let start = sqlite3_column_blob(handle, column) else { return [] }
        return Array(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column))))
    }
    /// Little-endian float32; trailing bytes that do not fill a value are ignored.
    func floats(_ column: Int32) -> [Float] {
        guard let start = sqlite3_column_blob(handle, column) else { return [] }
        let bytes = UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column)))
        return [Float](unsafeUninitializedCapacity: bytes.count / 4) { out, count in
            count = bytes.count / 4
            for index in 0..<count {
                let bits = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self))
                out.initializeElement(at: index, to: Float(bitPattern: bits))
            }
        }
    }
    func text(_ column: Int32) -> String {
        sqlite3_column_text(handle, column).map { String(cString: $0) } ?? ""
    }
}
