import Foundation

/// A sweep's settings, model, data and device: enough to run it again, and to refuse a resume that would mix two sweeps
/// in one store.
package struct Manifest: Codable, Sendable, Equatable {
    /// vitpatch's own version
    package var version: String
    /// The model folder as given, or `demo`
    package var model: String
    /// sha256 (hex) of the model folder's contents that determine the results
    package var modelHash: String
    /// The file of class texts, as given; its contents count in `modelHash`. nil: the model's classifier
    package var classes: String?
    /// The size of the images that the model reads, S or HEIGHTxWIDTH; nil: the model's own
    package var imageSize: String?
    package var donor: String?
    package var donorHash: String?
    /// The file that activations were taken from, as given, and its sha256 (hex)
    package var patchFile: String?
    package var patchFileHash: String?
    /// The data path as given, or `demo`
    package var data: String
    /// Fingerprint of the data set
    package var dataHash: String
    /// The whole sweep as JSON
    package var spec: String
    /// SPEC texts; a record's `corruption` is an index into this list
    package var corruptions: [String]
    /// A record's `patch` is an index into this list
    package var patches: [PatchRecord]
    package var classNames: [String]
    /// The model's number of layers, to which windows at the edge are cut; nil if the store does not have it
    package var layers: Int?
    package var seed: UInt64
    /// Noise draws per image
    package var samples: Int
    package var offset: Int
    /// nil: all images
    package var limit: Int?
    /// `I/N`, nil: not a shard
    package var shard: String?
    /// all | clean-correct | flipped
    package var keep: String
    /// label | clean
    package var target: String
    /// pooled | clean | corrupted | a class's index; nil in stores of versions that always took `corrupted`
    package var foil: String?
    /// clean | zero | mean | resample | file:FILE: the activations patched in; nil if only the store's spec has it
    package var patchWith: String?
    /// any | other-class: the images that resample takes; nil in stores of versions that always took `any`
    package var partner: String?
    /// image | data: the standard deviation that scales noise; nil in stores of versions that always took the image's
    package var noiseSD: String?
    /// Whether the store keeps every pass's logits
    package var logits: Bool
    /// The number of random places asked for, for every extent of several places
    package var control: Int
    /// Column names of the estimates: `atp_log_odds`; empty if nothing is estimated
    package var estimates: [String] = []
    /// The patches that get exact passes besides estimates: `top:50,random:30`, `none`; nil: all
    package var exact: String?
    /// The number of images with exact passes; nil: all
    package var exactImages: Int?
    /// all | top:K: the sweep's patches that are patched in pairs; nil: none
    package var pairs: String?
    /// The number of pairs; they are the first of the patches with members
    package var pairCount: Int?
    /// The number of orders for Shapley values; nil: none
    package var shapley: Int?
    /// The preprocessing of images, if the model's folder does not define it
    package var preprocessing: String?
    /// The library whose resizing is reproduced: pillow | torchvision; nil in stores of versions that had only Pillow's
    package var resize: String?
    /// `'Cat' is 3 'cat'` for each class of the data whose name differs from its label's
    package var classMatch: [String]?
    /// The model's tokens; nil in stores of versions that read only CLS
    package var tokens: TokenLayout?
    /// `apply` where EXIF's orientation was applied, else nil
    package var exif: String?
    /// The number of unreadable images left out; nil if an unreadable image ends the sweep, or the sweep has not
    /// finished
    package var skipped: Int?
    /// Their ids; empty in stores of versions that kept only their number
    package var skippedIDs: [String] = []
    package var device: String
    package var driver: String
    package var precision: String
    /// The GEMM provider and its parameters
    package var gemm: String
    package var host: String
    /// The command line
    package var command: String
    /// UTC, ISO 8601
    package var started: String
    /// UTC, ISO 8601; nil until the sweep has finished
    package var ended: String?

    package init(
        version: String, model: String, modelHash: String, donor: String? = nil, donorHash: String? = nil,
        data: String, dataHash: String, spec: String, corruptions: [String], patches: [PatchRecord],
        classNames: [String], seed: UInt64 = 0, samples: Int = 1, offset: Int = 0, limit: Int? = nil,
        shard: String? = nil, keep: String = "all", target: String = "label", device: String = "",
        driver: String = "", precision: String = "fp32", gemm: String = "", host: String = "",
        command: String = "", started: String = Manifest.timestamp(), ended: String? = nil, layers: Int? = nil,
        logits: Bool = false, control: Int = 0, preprocessing: String? = nil
    ) {
        self.layers = layers
        self.logits = logits
        self.control = control
        self.preprocessing = preprocessing
        self.version = version
        self.model = model
        self.modelHash = modelHash
        self.donor = donor
        self.donorHash = donorHash
        self.data = data
        self.dataHash = dataHash
        self.spec = spec
        self.corruptions = corruptions
        self.patches = patches
        self.classNames = classNames
        self.seed = seed
        self.samples = samples
        self.offset = offset
        self.limit = limit
        self.shard = shard
        self.keep = keep
        self.target = target
        self.device = device
        self.driver = driver
        self.precision = precision
        self.gemm = gemm
        self.host = host
        self.command = command
        self.started = started
        self.ended = ended
    }

    /// The patches that the sweep was asked for. Random places and sets of places come after them in `patches`.
    package var ownPatches: ArraySlice<PatchRecord> { patches.prefix(while: \.isOwn) }

    /// Indices of the patches of two places that `--pairs` asked for
    package var pairPatches: ArraySlice<Int> {
        patches.indices.filter { patches[$0].members != nil }.prefix(pairCount ?? 0)
    }

    /// Whether every patch gets exact passes
    package var hasAllExact: Bool { exact == nil || exact == "all" }

    /// The activations patched in: `clean` (the other pass), `zero` ...
    package var putIn: String {
        if let patchWith { return patchWith }
        let spec = try? JSONSerialization.jsonObject(with: Data(spec.utf8))
        return (spec as? [String: Any])?["patchWith"] as? String ?? "clean"
    }

    /// Now, UTC, ISO 8601, e.g. `2025-01-31T12:00:00Z`
    package static func timestamp() -> String { Date().ISO8601Format() }
}

extension Manifest {
    /// The differences between this sweep and the one in `stored`, as phrases for an error message; empty if both give
    /// the same numbers, so that one can continue the other. Model and data are compared by content, not by path; host,
    /// times and command line do not count.
    ///
    /// - Parameter words: the phrases' names for `stored` and for this manifest
    package func differences(
        from stored: Manifest, words: (stored: String, this: String) = ("there", "now")
    ) -> [String] {
        var found: [String] = []
        func compare(_ name: String, _ there: String?, _ now: String?) {
            guard there != now else { return }
            found.append("\(name) is \(there ?? "not set") \(words.stored) and \(now ?? "not set") \(words.this)")
        }
        func compareContent(_ name: String, _ there: (String?, String?), _ now: (String?, String?)) {
            guard there.1 != now.1 else { return }
            func text(_ named: (String?, String?)) -> String? {
                named.0.map { "\($0) (\((named.1 ?? "").prefix(12)))" }
            }
            found.append(
                "\(name) is \(text(there) ?? "not set") \(words.stored) and \(text(now) ?? "not set") \(words.this)")
        }
        compare("vitpatch", stored.version, version)
        compareContent("model", (stored.model, stored.modelHash), (model, modelHash))
        compare("image-size", stored.imageSize, imageSize)
        compareContent("donor", (stored.donor, stored.donorHash), (donor, donorHash))
        compareContent("patch-with file", (stored.patchFile, stored.patchFileHash), (patchFile, patchFileHash))
        compareContent("data", (stored.data, stored.dataHash), (data, dataHash))
        compare("corruption", stored.corruptions.joined(separator: " "), corruptions.joined(separator: " "))
        compare("seed", "\(stored.seed)", "\(seed)")
        compare("samples", "\(stored.samples)", "\(samples)")
        compare("offset", "\(stored.offset)", "\(offset)")
        compare("limit", stored.limit.map(String.init), limit.map(String.init))
        compare("shard", stored.shard, shard)
        compare("keep", stored.keep, keep)
        compare("target", stored.target, target)
        compare("foil", stored.foil ?? "corrupted", foil ?? "corrupted")
        compare("partner", stored.partner ?? "any", partner ?? "any")
        compare("noise-sd", stored.noiseSD ?? "image", noiseSD ?? "image")
        compare("control", "\(stored.control)", "\(control)")
        compare("estimate", stored.estimateText, estimateText)
        compare("exact", stored.hasAllExact ? "all" : stored.exact, hasAllExact ? "all" : exact)
        compare("exact-images", stored.exactImages.map(String.init) ?? "all", exactImages.map(String.init) ?? "all")
        compare("pairs", stored.pairs ?? "none", pairs ?? "none")
        compare("shapley", "\(stored.shapley ?? 0)", "\(shapley ?? 0)")
        compare("logits", stored.logits ? "kept" : "not kept", logits ? "kept" : "not kept")
        compare("device", stored.device, device)
        compare("driver", stored.driver, driver)
        compare("precision", stored.precision, precision)
        compare("gemm", stored.gemm, gemm)
        if stored.patches.count != patches.count {
            compare("the number of patches", "\(stored.patches.count)", "\(patches.count)")
        } else if let first = patches.indices.first(where: { !patches[$0].continues(stored.patches[$0]) }) {
            compare("patch \(first)", stored.patches[first].text, patches[first].text)
        }
        if stored.classNames != classNames { found.append("the class names differ") }
        if stored.classMatch != classMatch { found.append("the classes of the data are matched to other labels") }
        compare("resize", stored.resize ?? "pillow", resize ?? "pillow")
        compare("exif", stored.exif ?? "ignore", exif ?? "ignore")
        // The spec repeats the fields above, so it is compared only if they all agree.
        if found.isEmpty { compare("the spec", stored.spec, spec) }
        return found
    }

    private var estimateText: String? { estimates.isEmpty ? nil : estimates.joined(separator: " ") }
}

extension PatchRecord {
    /// Whether it equals the stored patch, whose extent may be missing.
    fileprivate func continues(_ stored: PatchRecord) -> Bool {
        var own = self
        if stored.extent.isEmpty { own.extent = "" }
        return own == stored
    }

    /// The columns that are set, in words: `restore attn_out layer 5 window 3`
    package var text: String {
        var parts = [control ? "control" : members == nil ? "" : "set", direction, site].filter { !$0.isEmpty }
        for (name, value) in [("layer", layer), ("head", head), ("token", token), ("window", window)]
        where !value.isEmpty {
            parts.append("\(name) \(value)")
        }
        return parts.joined(separator: " ")
    }
}

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
