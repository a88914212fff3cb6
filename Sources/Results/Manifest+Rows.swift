import Foundation

// The rows of the table `manifest`. Corruptions and patches have tables of their own.
extension Manifest {
    /// Key and value of every field that is set.
    var rows: [(key: String, value: String)] {
        let names = Self.json(classNames)
        let all: [(String, String?)] = [
            ("version", version), ("model", model), ("model_hash", modelHash), ("classes", classes),
            ("image_size", imageSize), ("donor", donor),
            ("donor_hash", donorHash), ("patch_file", patchFile), ("patch_file_hash", patchFileHash), ("data", data),
            ("data_hash", dataHash), ("spec", spec),
            ("class_names", names), ("layers", layers.map(String.init)), ("seed", "\(seed)"),
            ("samples", "\(samples)"), ("offset", "\(offset)"),
            ("limit", limit.map(String.init)), ("shard", shard), ("keep", keep), ("target", target),
            ("foil", foil), ("patch_with", patchWith), ("partner", partner), ("noise_sd", noiseSD),
            ("logits", logits ? "1" : nil), ("control", control > 0 ? "\(control)" : nil),
            ("estimates", estimates.isEmpty ? nil : Self.json(estimates)), ("exact", hasAllExact ? nil : exact),
            ("exact_images", exactImages.map(String.init)),
            ("pairs", pairs), ("pair_count", pairCount.map(String.init)), ("shapley", shapley.map(String.init)),
            ("sets", patches.contains { $0.members != nil } ? Self.json(patches.compactMap(\.members)) : nil),
            ("preprocessing", preprocessing), ("resize", resize), ("exif", exif),
            ("skipped", skipped.map(String.init)),
            ("skipped_ids", skippedIDs.isEmpty ? nil : Self.json(skippedIDs)),
            ("class_match", classMatch.flatMap(Self.json)),
            ("tokens", tokens.flatMap(Self.json)), ("device", device),
            ("driver", driver), ("precision", precision), ("gemm", gemm), ("host", host),
            ("command", command), ("started", started), ("ended", ended),
        ]
        return all.compactMap { key, value in value.map { (key, $0) } }
    }

    /// The names if all can be columns: lower-case letters, digits and underscores, no name twice; else nil.
    private static func estimates(_ names: [String]) -> [String]? {
        func isName(_ name: String) -> Bool {
            !name.isEmpty && name.utf8.count <= 64
                && name.utf8.allSatisfy { "abcdefghijklmnopqrstuvwxyz0123456789_".utf8.contains($0) }
        }
        let taken = ResultsStore.exportColumns + ResultsStore.furtherColumns + ["p_donor", "class_names"]
        return names.allSatisfy(isName) && Set(names + taken).count == names.count + taken.count ? names : nil
    }

    static func json(_ value: some Encodable) -> String? {
        (try? JSONEncoder().encode(value)).flatMap { String(data: $0, encoding: .utf8) }
    }

    /// - Throws: `ResultsError.corrupt` with a phrase that names the missing or unreadable key
    init(rows: [String: String], corruptions: [String], patches: [PatchRecord], path: String) throws {
        func value<T>(_ key: String, _ convert: (String) -> T?) throws -> T {
            guard let text = rows[key] else {
                throw ResultsError.corrupt(path: path, detail: "its manifest has no \(key)")
            }
            guard let value = convert(text) else {
                throw ResultsError.corrupt(path: path, detail: "its manifest has \(key) = \(text.prefix(60))")
            }
            return value
        }
        func text(_ key: String) throws -> String { try value(key) { $0 } }
        func whole(_ key: String, _ range: ClosedRange<Int>) throws -> Int {
            try value(key) { Int($0).flatMap { range.contains($0) ? $0 : nil } }
        }
        func whole(ifThere key: String, _ range: ClosedRange<Int>) throws -> Int? {
            rows[key] == nil ? nil : try whole(key, range)
        }
        func names(_ text: String) -> [String]? { try? JSONDecoder().decode([String].self, from: Data(text.utf8)) }
        self.init(
            version: try text("version"), model: try text("model"), modelHash: try text("model_hash"),
            donor: rows["donor"], donorHash: rows["donor_hash"], data: try text("data"),
            dataHash: try text("data_hash"), spec: try text("spec"), corruptions: corruptions, patches: patches,
            classNames: try value("class_names", names), seed: try value("seed") { UInt64($0) },
            samples: try whole("samples", 1...1_000_000), offset: try whole("offset", 0...Int(Int32.max)),
            limit: try whole(ifThere: "limit", 0...Int.max), shard: rows["shard"],
            keep: try text("keep"), target: try text("target"), device: try text("device"),
            driver: try text("driver"), precision: try text("precision"), gemm: try text("gemm"),
            host: try text("host"), command: try text("command"), started: try text("started"),
            ended: rows["ended"], layers: try whole(ifThere: "layers", 0...10_000),
            logits: rows["logits"] != nil, control: try whole(ifThere: "control", 0...Int.max) ?? 0,
            preprocessing: rows["preprocessing"])
        if rows["tokens"] != nil {
            tokens = try value("tokens") { try? JSONDecoder().decode(TokenLayout.self, from: Data($0.utf8)) }
        }
        (resize, exif, classes) = (rows["resize"], rows["exif"], rows["classes"])
        imageSize = rows["image_size"]
        skipped = try whole(ifThere: "skipped", 0...Int.max)
        if rows["skipped_ids"] != nil { skippedIDs = try value("skipped_ids", names) }
        pairs = rows["pairs"]
        pairCount = try whole(ifThere: "pair_count", 0...Int.max)
        shapley = try whole(ifThere: "shapley", 0...Int.max)
        try readSets(rows["sets"], path: path)
        (patchFile, patchFileHash) = (rows["patch_file"], rows["patch_file_hash"])
        if rows["estimates"] != nil { estimates = try value("estimates") { names($0).flatMap(Self.estimates) } }
        exact = rows["exact"]
        exactImages = try whole(ifThere: "exact_images", 1...Int.max)
        (foil, patchWith, partner, noiseSD) = (rows["foil"], rows["patch_with"], rows["partner"], rows["noise_sd"])
        if rows["class_match"] != nil { classMatch = try value("class_match", names) }
    }

    /// Fills in the members of patches of several places, which are empty so far.
    private mutating func readSets(_ text: String?, path: String) throws {
        let indices = patches.indices.filter { patches[$0].members != nil }
        let sets = text.flatMap { try? JSONDecoder().decode([[Int]].self, from: Data($0.utf8)) } ?? []
        let own = ownPatches.count
        guard sets.count == indices.count,
            sets.allSatisfy({ set in
                set.count > 1 && set.allSatisfy((0..<own).contains) && zip(set, set.dropFirst()).allSatisfy(<)
            })
        else { throw ResultsError.corrupt(path: path, detail: "its manifest has sets that are not of its patches") }
        for (index, set) in zip(indices, sets) { patches[index].members = set }
        guard (pairCount ?? 0) <= sets.count, sets.prefix(pairCount ?? 0).allSatisfy({ $0.count == 2 }) else {
            throw ResultsError.corrupt(path: path, detail: "its manifest has pair_count = \(pairCount ?? 0)")
        }
    }
}
