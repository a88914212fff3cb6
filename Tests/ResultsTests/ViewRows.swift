import GRDB

@testable import Results

extension ResultsStore {
    /// The view `results` as text, column names first, floats formatted as by `export`.
    func viewRows() throws -> [[String]] {
        try queue.read { db in
            let rows = try Row.fetchAll(db, sql: "SELECT * FROM results")
            return [rows.first.map { Array($0.columnNames) } ?? []]
                + rows.map { row in
                    row.databaseValues.map { value in
                        switch value.storage {
                        case .double(let number): Float(number).description
                        case .int64(let number): number.description
                        case .string(let text): text
                        default: ""
                        }
                    }
                }
        }
    }
}
