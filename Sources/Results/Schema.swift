import GRDB

/// The tables of `results.sqlite`; docs/results.md explains every column.
enum Schema {
    /// `PRAGMA application_id`: "vitp"
    static let applicationID: UInt32 = 0x7669_7470
    /// `PRAGMA user_version`
    static let version = 4
    static let oldest = 1

    /// Migrates an empty file, or a store of an older version, to the current version.
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        for (index, sql) in [one, two, three, four].enumerated() {
            migrator.registerMigration("\(index + 1)", foreignKeyChecks: .immediate) { db in
                // Stores of versions 1 and 2 have no table of applied migrations.
                guard try version(db) < index + 1 else { return }
                try db.execute(sql: sql)
                try db.execute(sql: "PRAGMA user_version = \(index + 1)")
            }
        }
        return migrator
    }

    static func version(_ db: Database) throws -> Int { try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0 }

    /// `effects` and `images` are stored in the order of their primary keys, which is the order of `export`.
    /// A NaN metric is NULL, as SQLite has no NaN.
    private static let one = """
        PRAGMA application_id = \(applicationID);
        CREATE TABLE manifest(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE corruptions(corruption INTEGER PRIMARY KEY, spec TEXT NOT NULL);
        CREATE TABLE patches(
          patch INTEGER PRIMARY KEY, direction TEXT NOT NULL, site TEXT NOT NULL, layer TEXT NOT NULL,
          head TEXT NOT NULL, token TEXT NOT NULL, window TEXT NOT NULL);
        CREATE TABLE images(
          image INTEGER NOT NULL, corruption INTEGER NOT NULL REFERENCES corruptions, id TEXT NOT NULL,
          label INTEGER NOT NULL, target INTEGER NOT NULL, foil INTEGER NOT NULL, kept INTEGER NOT NULL,
          p_clean REAL, p_corrupted REAL, logit_clean REAL, logit_corrupted REAL,
          logit_diff_clean REAL, logit_diff_corrupted REAL, kl_corrupted REAL,
          pred_clean INTEGER NOT NULL, pred_corrupted INTEGER NOT NULL, p_donor REAL,
          PRIMARY KEY(image, corruption)) WITHOUT ROWID;
        CREATE TABLE effects(
          image INTEGER NOT NULL, corruption INTEGER NOT NULL, patch INTEGER NOT NULL REFERENCES patches,
          p REAL, logit REAL, logit_diff REAL, kl REAL, pred INTEGER NOT NULL,
          PRIMARY KEY(image, corruption, patch),
          FOREIGN KEY(image, corruption) REFERENCES images) WITHOUT ROWID;
        """

    /// Random places, and the extents of patches
    private static let two = """
        ALTER TABLE patches ADD COLUMN control INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE patches ADD COLUMN extent TEXT NOT NULL DEFAULT '';
        """

    private static let viewColumns = """
        i.id AS image, label, target, foil, c.spec AS corruption, direction, site, layer, head, token, window,
        p_clean, p_corrupted, e.p AS p_patched, logit_clean, logit_corrupted, e.logit AS logit_patched,
        logit_diff_clean, logit_diff_corrupted, e.logit_diff AS logit_diff_patched, e.kl AS kl_patched,
        pred_clean, pred_corrupted, e.pred AS pred_patched, control, extent,
        log_odds_clean, log_odds_corrupted, e.log_odds AS log_odds_patched, kl_corrupted,
        (SELECT value FROM manifest WHERE key = 'patch_with') AS patch_with,
        ifnull((SELECT value FROM manifest WHERE key = 'donor'), '') AS donor
        """

    /// Log-odds of the target
    private static let three = """
        ALTER TABLE images ADD COLUMN log_odds_clean REAL;
        ALTER TABLE images ADD COLUMN log_odds_corrupted REAL;
        ALTER TABLE effects ADD COLUMN log_odds REAL;
        DROP VIEW IF EXISTS results;
        CREATE VIEW results AS SELECT
          \(viewColumns)
          FROM images i JOIN effects e USING (image, corruption) JOIN corruptions c USING (corruption)
          JOIN patches p USING (patch)
          WHERE kept ORDER BY e.image, e.corruption, e.patch;
        """

    /// Estimates, a float32 array per image, corruption and name: 36,864 patches of 1000 images are 150 MB
    private static let four = """
        ALTER TABLE images ADD COLUMN exact INTEGER NOT NULL DEFAULT 1;
        CREATE TABLE estimates(
          image INTEGER NOT NULL, corruption INTEGER NOT NULL, name TEXT NOT NULL, data BLOB NOT NULL,
          UNIQUE(image, corruption, name), FOREIGN KEY(image, corruption) REFERENCES images);
        CREATE TABLE exact_patches(patch INTEGER PRIMARY KEY REFERENCES patches, why TEXT NOT NULL);
        """

    /// Replaces the view `results` in a store with estimates; their names become columns: lower-case words.
    static func view(estimates names: [String]) -> String {
        let tables = names.indices.map { "s\($0)" }
        return """
            DROP VIEW results;
            CREATE VIEW results AS SELECT
            \(viewColumns),
            \(zip(names, tables).map { "\(float("\($1).data", at: "p.patch")) AS \($0)" }.joined(separator: ",\n"))
            FROM images i CROSS JOIN patches p JOIN corruptions c ON c.corruption = i.corruption
            LEFT JOIN effects e ON e.image = i.image AND e.corruption = i.corruption AND e.patch = p.patch
            \(zip(names, tables).map { name, table in
                """
                LEFT JOIN estimates \(table) ON \(table).image = i.image AND \(table).corruption = i.corruption
                  AND \(table).name = '\(name)'
                """
            }.joined(separator: "\n"))
            WHERE kept AND (e.patch IS NOT NULL OR \(tables.map { "\($0).data IS NOT NULL" }.joined(separator: " OR ")))
            ORDER BY i.image, i.corruption, p.patch;
            """
    }

    /// SQL for the little-endian float32 at an index of a blob, for which SQLite has no function: the hexadecimal
    /// digits give sign, exponent and mantissa, and powers of two are shifts. NULL for a NaN.
    private static func float(_ blob: String, at index: String) -> String {
        // The digits of bytes 3, 2, 1, 0, the most significant first
        let bits = [7, 8, 5, 6, 3, 4, 1, 2].enumerated().map { place, digit in
            "(instr('0123456789ABCDEF', substr(h, \(digit), 1)) - 1 << \(28 - 4 * place))"
        }
        return """
            (SELECT CASE WHEN e < 255 THEN s * (m + (e > 0) * 8388608) * CASE WHEN e < 150
               THEN 1.0 / (1 << min(150 - max(e, 1), 50)) / (1 << min(max(100 - max(e, 1), 0), 50))
                 / (1 << max(50 - max(e, 1), 0))
               ELSE 1.0 * (1 << min(e - 150, 52)) * (1 << max(e - 202, 0)) END WHEN m = 0 THEN s * 9e999 END
             FROM (SELECT 1 - 2 * (u >> 31) AS s, (u >> 23) & 255 AS e, u & 8388607 AS m
               FROM (SELECT \(bits.joined(separator: " | ")) AS u
                 FROM (SELECT hex(substr(\(blob), 4 * \(index) + 1, 4)) AS h))) WHERE \(blob) IS NOT NULL)
            """
    }

    /// The additional table of a store that keeps logits; `patch` is NULL for the clean and the corrupted pass.
    static let logits = """
        CREATE TABLE logits(
          image INTEGER NOT NULL, corruption INTEGER NOT NULL, pass TEXT NOT NULL, patch INTEGER REFERENCES patches,
          data BLOB NOT NULL, FOREIGN KEY(image, corruption) REFERENCES images);
        CREATE UNIQUE INDEX logits_key ON logits(image, corruption, pass, ifnull(patch, -1));
        """

    private static let tables = [
        "manifest", "corruptions", "patches", "images", "effects", "logits", "groups", "estimates", "exact_patches",
        "dataset",
    ]

    /// Refuses a file whose tables are not plain tables: reading a view, a virtual table or a computed column runs SQL
    /// of the file's author, and so does writing to a table with triggers.
    static func check(_ db: Database, path: String) throws {
        let objects = try Cursor(
            db, "SELECT type, name, tbl_name, sql LIKE 'CREATE VIRTUAL%' FROM sqlite_master ORDER BY rowid")
        while try objects.next() {
            let (type, name, table) = (objects.text(0), objects.text(1).lowercased(), objects.text(2).lowercased())
            if type == "trigger" {
                throw ResultsError.corrupt(path: path, detail: "it has a trigger on \(table), which no sweep makes")
            }
            if tables.contains(name), type == "view" || objects.int(3) != 0 {
                throw ResultsError.corrupt(path: path, detail: "\(name) is not a table")
            }
        }
        for table in tables {
            // 1: of a virtual table; 2 and 3: computed
            let computed = try Cursor(db, "SELECT name FROM pragma_table_xinfo('\(table)') WHERE hidden != 0")
            if try computed.next() {
                throw ResultsError.corrupt(path: path, detail: "a column of \(table) is computed")
            }
        }
    }
}
