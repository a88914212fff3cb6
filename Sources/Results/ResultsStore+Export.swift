import Files

package enum ExportFormat: String, CaseIterable, Sendable {
    case csv, jsonl
}

extension ResultsStore {
    /// The columns of `export`, in order; with a donor, `p_donor` follows, then `furtherColumns`, then the estimates.
    package static let exportColumns = [
        "image", "label", "target", "foil", "corruption", "direction", "site", "layer", "head", "token", "window",
        "p_clean", "p_corrupted", "p_patched", "logit_clean", "logit_corrupted", "logit_patched",
        "logit_diff_clean", "logit_diff_corrupted", "logit_diff_patched", "kl_patched", "pred_clean",
        "pred_corrupted", "pred_patched",
    ]

    /// A patch's kind and extent, and columns that were added later
    package static let furtherColumns = [
        "control", "extent", "log_odds_clean", "log_odds_corrupted", "log_odds_patched", "kl_corrupted", "patch_with",
        "donor",
    ]

    /// Writes one row per kept image and patch, by image, corruption, patch, to the file `path` or to standard output.
    /// The patched columns of patches with only estimates are empty. An interrupted sweep gives the rows that it has.
    /// Constant memory.
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
        let names = manifest.estimates
        out.header(Self.exportColumns + (hasDonor ? ["p_donor"] : []) + Self.furtherColumns + names)
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
            let estimates = names.isEmpty ? nil : try EstimateCursor(db, store: self)
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
                let estimated = try names.map {
                    ($0, try estimates?.values($0, image: record.image, corruption: record.corruption))
                }
                func write(_ patch: Int, _ patched: PassMetrics?) throws {
                    out.row(image, patches[patch], patched, kind: kind.bytes, estimated.lazy.map { ($0, $1?[patch]) })
                    if out.bytes.count > 1 << 18 {
                        try sink(out.bytes)
                        out.bytes.removeAll(keepingCapacity: true)
                    }
                }
                /// Writes patches that have only estimates
                func write(between first: Int, and last: Int) throws {
                    guard estimated.contains(where: { $0.1 != nil }) else { return }
                    for patch in stride(from: first, to: last, by: 1) { try write(patch, nil) }
                }
                var next = 0
                while try effects.next() {
                    let patch = effects.int(0)
                    guard patches.indices.contains(patch) else {
                        throw ResultsError.corrupt(
                            path: path, detail: "image \(record.image) has an effect of patch \(patch)")
                    }
                    try write(between: next, and: patch)
                    try write(patch, patched(effects, from: 1))
                    next = patch + 1
                }
                try write(between: next, and: patches.count)
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
    /// `p_donor`, if the sweep has a donor; empty if donor and model have different classes
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
    /// - Parameters:
    ///   - patched: nil where the patch has no exact pass on the image
    ///   - estimates: nil where the image has none of that name
    fileprivate mutating func row(
        _ image: ImageText, _ patch: PatchText, _ patched: PassMetrics?, kind: [UInt8],
        _ estimates: some Sequence<(String, Float?)>
    ) {
        func optional(_ name: String, _ value: Float?, _ out: inout TableText) {
            if let value { out.field(name, value) } else { out.field(name, "") }
        }
        beginRow()
        bytes += image.names
        bytes += patch.names
        bytes += image.p
        optional("p_patched", patched?.p, &self)
        bytes += image.logit
        optional("logit_patched", patched?.logit, &self)
        bytes += image.logitDiff
        optional("logit_diff_patched", patched?.logitDiff, &self)
        optional("kl_patched", patched?.kl, &self)
        bytes += image.prediction
        if let patched { field("pred_patched", patched.prediction) } else { field("pred_patched", "") }
        bytes += image.donor
        bytes += patch.kind
        bytes += image.logOdds
        optional("log_odds_patched", patched?.logOdds, &self)
        bytes += image.kl
        bytes += kind
        for (name, value) in estimates { optional(name, value, &self) }
        endRow()
    }
}
