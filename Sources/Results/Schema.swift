/// The tables of `results.sqlite`; docs/results.md explains every column.
enum Schema {
    /// `PRAGMA application_id`: "vitp"
    static let applicationID: UInt32 = 0x7669_7470
    /// `PRAGMA user_version`
    static let version = 2
    /// Version 1 had neither `control` nor `extent`; it can be read, and not gone on with.
    static let oldest = 1

    /// `effects` and `images` are stored in the order of their primary keys, which is the order of `export`.
    /// A metric that is not a number is NULL, as SQLite has no NaN.
    static let sql = """
        CREATE TABLE manifest(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE corruptions(corruption INTEGER PRIMARY KEY, spec TEXT NOT NULL);
        CREATE TABLE patches(
          patch INTEGER PRIMARY KEY, direction TEXT NOT NULL, site TEXT NOT NULL, layer TEXT NOT NULL,
          head TEXT NOT NULL, token TEXT NOT NULL, window TEXT NOT NULL,
          control INTEGER NOT NULL, extent TEXT NOT NULL);
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
        CREATE VIEW results AS SELECT
          i.id AS image, label, target, foil, c.spec AS corruption, direction, site, layer, head, token, window,
          p_clean, p_corrupted, e.p AS p_patched, logit_clean, logit_corrupted, e.logit AS logit_patched,
          logit_diff_clean, logit_diff_corrupted, e.logit_diff AS logit_diff_patched, e.kl AS kl_patched,
          pred_clean, pred_corrupted, e.pred AS pred_patched, control, extent
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
}
