import GRDB

/// The tables of `results.sqlite`; docs/results.md explains every column.
enum Schema {
    /// `PRAGMA application_id`: "vitp"
    static let applicationID: UInt32 = 0x7669_7470
    /// `PRAGMA user_version`
    static let version = 3
    static let oldest = 1

    /// Brings a file to the current version: an empty one, or a store of an older version.
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        for (index, sql) in [one, two, three].enumerated() {
            migrator.registerMigration("\(index + 1)", foreignKeyChecks: .immediate) { db in
                // Stores of versions 1 and 2 have no list of the migrations that they have seen.
                guard try version(db) < index + 1 else { return }
                try db.execute(sql: sql)
                try db.execute(sql: "PRAGMA user_version = \(index + 1)")
            }
        }
        return migrator
    }

    static func version(_ db: Database) throws -> Int { try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0 }

    /// `effects` and `images` are stored in the order of their primary keys, which is the order of `export`.
    /// A metric that is not a number is NULL, as SQLite has no NaN.
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

    /// Random places to compare with, and what a patch covers
    private static let two = """
        ALTER TABLE patches ADD COLUMN control INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE patches ADD COLUMN extent TEXT NOT NULL DEFAULT '';
        """

    /// Log-odds of the target
    private static let three = """
        ALTER TABLE images ADD COLUMN log_odds_clean REAL;
        ALTER TABLE images ADD COLUMN log_odds_corrupted REAL;
        ALTER TABLE effects ADD COLUMN log_odds REAL;
        DROP VIEW IF EXISTS results;
        CREATE VIEW results AS SELECT
          i.id AS image, label, target, foil, c.spec AS corruption, direction, site, layer, head, token, window,
          p_clean, p_corrupted, e.p AS p_patched, logit_clean, logit_corrupted, e.logit AS logit_patched,
          logit_diff_clean, logit_diff_corrupted, e.logit_diff AS logit_diff_patched, e.kl AS kl_patched,
          pred_clean, pred_corrupted, e.pred AS pred_patched, control, extent,
          log_odds_clean, log_odds_corrupted, e.log_odds AS log_odds_patched, kl_corrupted,
          (SELECT value FROM manifest WHERE key = 'patch_with') AS patch_with,
          ifnull((SELECT value FROM manifest WHERE key = 'donor'), '') AS donor
          FROM images i JOIN effects e USING (image, corruption) JOIN corruptions c USING (corruption)
          JOIN patches p USING (patch)
          WHERE kept ORDER BY e.image, e.corruption, e.patch;
        """

    /// Beside these in a store that keeps logits; `patch` is NULL for the clean and the corrupted pass.
    static let logits = """
        CREATE TABLE logits(
          image INTEGER NOT NULL, corruption INTEGER NOT NULL, pass TEXT NOT NULL, patch INTEGER REFERENCES patches,
          data BLOB NOT NULL, FOREIGN KEY(image, corruption) REFERENCES images);
        CREATE UNIQUE INDEX logits_key ON logits(image, corruption, pass, ifnull(patch, -1));
        """

    private static let tables = [
        "manifest", "corruptions", "patches", "images", "effects", "logits", "groups", "dataset",
    ]

    /// Refuses a file whose tables are not plain ones: reading a view, a virtual table or a computed column runs
    /// whatever its maker wrote, and so does writing where there are triggers.
    static func check(_ db: Database, path: String) throws {
        let objects = try Cursor(
            db, "SELECT type, name, tbl_name, sql LIKE 'CREATE VIRTUAL%' FROM sqlite_master ORDER BY rowid")
        while try objects.next() {
            let (type, name, table) = (objects.text(0), objects.text(1).lowercased(), objects.text(2).lowercased())
            if type == "trigger" {
                throw ResultsError.corrupt(path: path, detail: "it has a trigger on \(table), which no sweep makes")
            }
            if tables.contains(name), type == "view" || objects.int(3) != 0 {
                throw ResultsError.corrupt(path: path, detail: "\(name) is no table")
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
