import Files

package enum ExportFormat: String, CaseIterable, Sendable {
    case csv, jsonl
}

extension ResultsStore {
    /// The columns of `export`, in order; with a donor, `p_donor` follows, then `furtherColumns`.
    package static let exportColumns = [
        "image", "label", "target", "foil", "corruption", "direction", "site", "layer", "head", "token", "window",
        "p_clean", "p_corrupted", "p_patched", "logit_clean", "logit_corrupted", "logit_patched",
        "logit_diff_clean", "logit_diff_corrupted", "logit_diff_patched", "kl_patched", "pred_clean",
        "pred_corrupted", "pred_patched",
    ]

    /// What a patch is for and how much it covers, and metrics that came later
    package static let furtherColumns = [
        "control", "extent", "log_odds_clean", "log_odds_corrupted", "log_odds_patched", "kl_corrupted", "patch_with",
        "donor",
    ]

    /// Writes one row per kept image and patch, by image, corruption, patch, to the file `path` or to standard
    /// output. Of an interrupted sweep: what is there. Constant memory.
    ///
    /// - Throws: `FileError` naming `path`; `ResultsError` naming the store
    package func export(_ format: ExportFormat, to path: String? = nil) throws {
        let file = try AtomicFile(path, keeping: Self.files(in: folder))
        try export(format) { try file.write($0) }
        try file.close()
    }

    /// The same, in UTF-8 pieces handed to `sink`.
    package func export(_ format: ExportFormat, into sink: ([UInt8]) throws -> Void) throws {
        var out = TableText(format == .csv ? .csv : .jsonl)
        let hasDonor = manifest.donor != nil
        out.header(Self.exportColumns + (hasDonor ? ["p_donor"] : []) + Self.furtherColumns)
        let patches = manifest.patches.map { PatchText($0, out.format) }
        var kind = TableText(out.format)
        kind.field("patch_with", manifest.putIn)
        kind.field("donor", manifest.donor ?? "")
        try read { db in
            let images = try Cursor(
                db, "SELECT \(imageColumns) FROM images WHERE kept ORDER BY image, corruption")
            let effects = try Cursor(
                db,
                """
                SELECT patch, \(effectColumns) FROM effects
                WHERE image = ? AND corruption = ? ORDER BY patch
                """)
            while try images.next() {
                let record = try image(images)
                guard manifest.corruptions.indices.contains(record.corruption) else {
                    throw ResultsError.corrupt(
                        path: path, detail: "image \(record.image) names corruption \(record.corruption)")
                }
                let image = ImageText(
                    record, corruption: manifest.corruptions[record.corruption], hasDonor: hasDonor, out.format)
                effects.restart()
                effects.bind(1, record.image)
                effects.bind(2, record.corruption)
                while try effects.next() {
                    let patch = effects.int(0)
                    guard patches.indices.contains(patch) else {
                        throw ResultsError.corrupt(
                            path: path, detail: "image \(record.image) has an effect of patch \(patch)")
                    }
                    out.row(image, patches[patch], try patched(effects, from: 1), kind: kind.bytes)
                    if out.bytes.count > 1 << 18 {
                        try sink(out.bytes)
                        out.bytes.removeAll(keepingCapacity: true)
                    }
                }
            }
        }
        try sink(out.bytes)
    }
}

// The columns of an image and of a patch repeat from row to row, so their text is made once.

private struct PatchText {
    /// `direction` to `window`
    let names: [UInt8]
    /// `control` and `extent`
    let kind: [UInt8]

    init(_ patch: PatchRecord, _ format: TableText.Format) {
        var out = TableText(format)
        out.field("direction", patch.direction)
        out.field("site", patch.site)
        out.field("layer", patch.layer)
        out.field("head", patch.head)
        out.field("token", patch.token)
        out.field("window", patch.window)
        names = out.bytes
        out.bytes.removeAll()
        out.field("control", patch.controlCode)
        out.field("extent", patch.extent)
        kind = out.bytes
    }
}

private struct ImageText {
    /// `image` to `corruption`
    let names: [UInt8]
    /// The clean and the corrupted column of each metric
    let p, logit, logitDiff, prediction: [UInt8]
    /// `p_donor`, where the sweep has a donor; empty where donor and model have other classes
    let donor: [UInt8]
    let logOdds, kl: [UInt8]

    init(_ image: ImageRecord, corruption: String, hasDonor: Bool, _ format: TableText.Format) {
        var out = TableText(format)
        out.field("image", image.id, first: true)
        if image.label < 0 { out.field("label", "") } else { out.field("label", image.label) }
        out.field("target", image.target)
        out.field("foil", image.foil)
        out.field("corruption", corruption)
        names = out.bytes
        func pair(_ name: String, _ write: (inout TableText, String, PassMetrics) -> Void) -> [UInt8] {
            var out = TableText(format)
            write(&out, name + "_clean", image.clean)
            write(&out, name + "_corrupted", image.corrupted)
            return out.bytes
        }
        p = pair("p") { $0.field($1, $2.p) }
        logit = pair("logit") { $0.field($1, $2.logit) }
        logitDiff = pair("logit_diff") { $0.field($1, $2.logitDiff) }
        prediction = pair("pred") { $0.field($1, $2.prediction) }
        logOdds = pair("log_odds") { $0.field($1, $2.logOdds) }
        var klText = TableText(format)
        klText.field("kl_corrupted", image.corrupted.kl)
        kl = klText.bytes
        var donorText = TableText(format)
        if hasDonor {
            if let p = image.pDonor { donorText.field("p_donor", p) } else { donorText.field("p_donor", "") }
        }
        donor = donorText.bytes
    }
}

extension TableText {
    fileprivate mutating func row(_ image: ImageText, _ patch: PatchText, _ patched: PassMetrics, kind: [UInt8]) {
        beginRow()
        bytes += image.names
        bytes += patch.names
        bytes += image.p
        field("p_patched", patched.p)
        bytes += image.logit
        field("logit_patched", patched.logit)
        bytes += image.logitDiff
        field("logit_diff_patched", patched.logitDiff)
        field("kl_patched", patched.kl)
        bytes += image.prediction
        field("pred_patched", patched.prediction)
        bytes += image.donor
        bytes += patch.kind
        bytes += image.logOdds
        field("log_odds_patched", patched.logOdds)
        bytes += image.kl
        bytes += kind
        endRow()
    }
}
