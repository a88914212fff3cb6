import Files

extension ResultsStore {
    /// Writes the results as arrays for `numpy.load(..., allow_pickle=False)`, to the file `path` or to standard
    /// output.
    ///
    /// A row is a kept image under one corruption, in the order of `export`:
    /// `p_patched logit_patched logit_diff_patched kl_patched log_odds_patched` float32 and `pred_patched` int32 are
    /// [rows, patches];
    /// `image corruption` (text), `label target foil pred_clean pred_corrupted` (int32) and the clean and corrupted
    /// metrics (float32) are [rows]; `direction site layer head token window extent` (text) and `control` (int32) are
    /// [patches]; `class_names` is [classes]; `patch_with donor` (text) are [1], the same for all. Estimates are [rows,
    /// patches] float32 by their names. Missing effects and estimates are nan, missing predictions -1; if no patch has
    /// exact passes, the arrays of effects are left out. Constant memory.
    ///
    /// - Throws: `FileError` naming `path`; `ResultsError` naming the store
    package func exportNPZ(to path: String? = nil) throws {
        let file = try AtomicFile(path, keeping: Self.files(in: folder))
        try exportNPZ { try file.write($0) }
        try file.close()
    }

    /// The same, in pieces handed to `sink`.
    package func exportNPZ(into sink: ([UInt8]) throws -> Void) throws {
        try exportNPZ(large: 0xFFFF_FFFF, into: sink)
    }

    func exportNPZ(large: UInt64, into sink: ([UInt8]) throws -> Void) throws {
        try withoutActuallyEscaping(sink) { try writeNPZ(into: ZipWriter(large: large, into: $0)) }
    }

    private func writeNPZ(into zip: consuming ZipWriter) throws {
        var zip = zip
        let patches = manifest.patches
        let (rows, longestID) = try npzRows()
        guard !rows.multipliedReportingOverflow(by: max(1, patches.count)).overflow else {
            throw ResultsError.corrupt(path: path, detail: "it has \(rows) rows of \(patches.count) patches")
        }
        func text(_ name: String, _ values: [String]) throws {
            let width = values.map(\.unicodeScalars.count).max() ?? 0
            try zip.add(name + ".npy") { sink in
                try sink(NPY.header("<U\(max(1, width))", [values.count]))
                for value in values { try sink(NPY.text(value, width: width)) }
            }
        }

        let metrics: [(String, (PassMetrics) -> Float)] = [
            ("p", \.p), ("logit", \.logit), ("logit_diff", \.logitDiff), ("kl", \.kl), ("log_odds", \.logOdds),
        ]
        for (name, value) in manifest.exact == "none" ? [] : metrics {
            try zip.add(name + "_patched.npy") { sink in
                try sink(NPY.header("<f4", [rows, patches.count]))
                try forEachRow(missing: Float.nan.bitPattern, { value($0).bitPattern }, sink)
            }
        }
        if manifest.exact != "none" {
            try zip.add("pred_patched.npy") { sink in
                try sink(NPY.header("<i4", [rows, patches.count]))
                try forEachRow(
                    missing: UInt32(bitPattern: -1), { UInt32(bitPattern: Int32(clamping: $0.prediction)) }, sink)
            }
        }
        for name in manifest.estimates {
            try zip.add(name + ".npy") { sink in
                try sink(NPY.header("<f4", [rows, patches.count]))
                try forEachEstimateRow(name, sink)
            }
        }

        try zip.add("image.npy") { sink in
            try sink(NPY.header("<U\(max(1, longestID))", [rows]))
            try forEachImage { try sink(NPY.text($0.id, width: longestID)) }
        }
        let specs = manifest.corruptions
        let longestSpec = specs.map(\.unicodeScalars.count).max() ?? 0
        try zip.add("corruption.npy") { sink in
            try sink(NPY.header("<U\(max(1, longestSpec))", [rows]))
            try forEachImage { image in
                guard specs.indices.contains(image.corruption) else {
                    throw ResultsError.corrupt(
                        path: path, detail: "image \(image.image) names corruption \(image.corruption)")
                }
                try sink(NPY.text(specs[image.corruption], width: longestSpec))
            }
        }
        let numbers: [(String, String, (ImageRecord) -> UInt32)] =
            [
                ("label", { $0.label }), ("target", { $0.target }), ("foil", { $0.foil }),
                ("pred_clean", { $0.clean.prediction }), ("pred_corrupted", { $0.corrupted.prediction }),
            ].map { (name: String, value: @escaping (ImageRecord) -> Int) in
                (name, "<i4", { UInt32(bitPattern: Int32(clamping: value($0))) })
            }
            + metrics.flatMap { name, value in
                (name == "kl" ? [] : [(name + "_clean", "<f4", { value($0.clean).bitPattern })])
                    + [(name + "_corrupted", "<f4", { value($0.corrupted).bitPattern })]
            }
        for (name, type, value) in numbers {
            try zip.add(name + ".npy") { sink in
                try sink(NPY.header(type, [rows]))
                try forEachImage { image in
                    var bytes: [UInt8] = []
                    bytes.little(value(image))
                    try sink(bytes)
                }
            }
        }
        for (name, value) in [
            ("direction", \PatchRecord.direction), ("site", \.site), ("layer", \.layer), ("head", \.head),
            ("token", \.token), ("window", \.window), ("extent", \.extent),
        ] { try text(name, patches.map { $0[keyPath: value] }) }
        try zip.add("control.npy") { sink in
            try sink(NPY.header("<i4", [patches.count]))
            var bytes: [UInt8] = []
            for patch in patches { bytes.little(UInt32(patch.controlCode)) }
            try sink(bytes)
        }
        try text("class_names", manifest.classNames)
        try text("patch_with", [manifest.putIn])
        try text("donor", [manifest.donor ?? ""])
        try zip.finish()
    }

    /// The number of rows, and the Unicode scalars of the longest id.
    private func npzRows() throws -> (rows: Int, longestID: Int) {
        var (rows, longest) = (0, 0)
        try forEachImage {
            rows += 1
            longest = max(longest, $0.id.unicodeScalars.count)
        }
        return (rows, longest)
    }

    private func forEachImage(_ body: (ImageRecord) throws -> Void) throws {
        try read { db in
            let images = try Cursor(
                db, "SELECT \(imageColumns) FROM images WHERE kept ORDER BY image, corruption")
            while try images.next() { try body(image(images)) }
        }
    }

    /// Every row of an estimate's [rows, patches] array.
    private func forEachEstimateRow(_ name: String, _ sink: ([UInt8]) throws -> Void) throws {
        let missing = [Float](repeating: .nan, count: manifest.patches.count)
        try read { db in
            let cursor = try EstimateCursor(db, store: self)
            let images = try Cursor(
                db, "SELECT image, corruption FROM images WHERE kept ORDER BY image, corruption")
            while try images.next() {
                let values = try cursor.values(name, image: images.int(0), corruption: images.int(1)) ?? missing
                try sink(values.map { $0.bitPattern.littleEndian }.withUnsafeBytes { Array($0) })
            }
        }
    }

    /// Every row of a [rows, patches] array of one metric's 4-byte values.
    private func forEachRow(
        missing: UInt32, _ value: (PassMetrics) -> UInt32, _ sink: ([UInt8]) throws -> Void
    ) throws {
        try read { db in
            let images = try Cursor(
                db, "SELECT image, corruption FROM images WHERE kept ORDER BY image, corruption")
            let effects = try Cursor(
                db,
                """
                SELECT patch, \(effectColumns) FROM effects
                WHERE image = ? AND corruption = ? ORDER BY patch
                """)
            var row = [UInt32](repeating: missing, count: manifest.patches.count)
            while try images.next() {
                for index in row.indices { row[index] = missing }
                effects.restart()
                effects.bind(1, images.int(0))
                effects.bind(2, images.int(1))
                while try effects.next() {
                    let patch = effects.int(0)
                    guard row.indices.contains(patch) else {
                        throw ResultsError.corrupt(
                            path: path, detail: "image \(images.int(0)) has an effect of patch \(patch)")
                    }
                    row[patch] = value(try patched(effects, from: 1))
                }
                var bytes: [UInt8] = []
                bytes.reserveCapacity(row.count * 4)
                for bits in row { bytes.little(bits) }
                try sink(bytes)
            }
        }
    }
}

/// numpy's array files, version 1.0 (numpy.lib.format).
enum NPY {
    static func header(_ type: String, _ shape: [Int]) -> [UInt8] {
        let sizes = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
        let text = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(sizes)), }"
        // Magic, version, length and text fill a multiple of 64 bytes.
        let padding = (64 - (10 + text.utf8.count + 1) % 64) % 64
        var out: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0]
        out.little(UInt16(text.utf8.count + padding + 1))
        return out + Array(text.utf8) + [UInt8](repeating: 0x20, count: padding) + [0x0A]
    }

    /// UTF-32 of `width` scalars, filled with zeros.
    static func text(_ text: String, width: Int) -> [UInt8] {
        var out: [UInt8] = []
        for scalar in text.unicodeScalars.prefix(max(1, width)) { out.little(scalar.value) }
        return out + [UInt8](repeating: 0, count: max(0, 4 * max(1, width) - out.count))
    }
}
