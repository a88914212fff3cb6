import Foundation

extension ResultsStore {
    /// Merges the shards of one sweep. The result is the sweep as it would be without shards: `export` gives the same
    /// bytes. Constant memory.
    ///
    /// - Parameters:
    ///   - folders: one for each shard, in any order
    ///   - overwrite: replaces an existing store in `output`, once the shards are known to fit
    /// - Throws: `ResultsError.cannotMerge` for shards that do not belong together, are missing, unfinished or overlap,
    ///   and what opening and writing stores throw. `output` is then unchanged.
    /// - Returns: the number of images merged, including those left out by `--keep`
    @discardableResult
    package static func merge(_ folders: [String], into output: String, overwrite: Bool = false) throws -> Int {
        let shards = try folders.map { try Shard(folder: $0) }
        let manifest = try check(shards)
        let inputs = Set(folders.map(resolved))
        if inputs.contains(resolved(output)) {
            throw ResultsError.cannotMerge(reason: "\(output) is one of the shards and cannot be the result too")
        }
        try checkOverlap(shards)
        let groups = try commonGroups(shards), exact = try commonExactPatches(shards)
        var images = 0
        try NewStore(folder: output, manifest: manifest, groups: groups, overwrite: overwrite).write { merged in
            if let exact { try merged.setExactPatches(exact) }
            // Ascending images keep the file's pages in order.
            for shard in shards.sorted(by: { $0.first < $1.first }) {
                images += try merged.add(shard.store)
                try merged.addLogits(of: shard.store)
            }
        }
        return images
    }

    /// The groups of all images, which must be the same in every shard.
    private static func commonGroups(_ shards: [Shard]) throws -> [ImageGroups] {
        guard let first = shards.first else { return [] }
        let groups = try first.store.groups()
        for shard in shards.dropFirst() where try shard.store.groups() != groups {
            throw ResultsError.cannotMerge(
                reason: "\(first.store.folder) and \(shard.store.folder) were made with different --groups; "
                    + "sweep --resume --groups FILE stores other ones")
        }
        return groups
    }

    /// The patches with exact passes, which must be the same in every shard.
    private static func commonExactPatches(_ shards: [Shard]) throws -> [ExactPatch]? {
        guard let first = shards.first else { return nil }
        let patches = try first.store.exactPatches()
        for shard in shards.dropFirst() where try shard.store.exactPatches() != patches {
            throw ResultsError.cannotMerge(
                reason: "\(first.store.folder) and \(shard.store.folder) have exact passes of different patches")
        }
        return patches
    }

    private struct Shard {
        let store: ResultsStore
        let index: Int
        let count: Int
        /// Indices of the first and the last image; 0 and -1 without images
        let first: Int
        let last: Int

        init(folder: String) throws {
            store = try ResultsStore.open(folder: folder)
            let parts = (store.manifest.shard ?? "").split(separator: "/").map { Int($0) }
            guard parts.count == 2, let index = parts[0], let count = parts[1], count > 0, (0..<count).contains(index)
            else {
                throw ResultsError.cannotMerge(
                    reason: "\(folder) is not a shard: its sweep had "
                        + (store.manifest.shard.map { "--shard \($0)" } ?? "no --shard"))
            }
            (self.index, self.count) = (index, count)
            (first, last) = try store.read { db in
                let cursor = try Cursor(db, "SELECT min(image), max(image), count(*) FROM images")
                return try cursor.next() && cursor.int(2) > 0 ? (cursor.int(0), cursor.int(1)) : (0, -1)
            }
        }
    }

    /// The merged sweep's manifest.
    private static func check(_ shards: [Shard]) throws -> Manifest {
        guard let one = shards.first else { throw ResultsError.cannotMerge(reason: "there are no shards to merge") }
        var reference = one.store.manifest
        reference.shard = nil
        var byIndex: [Int: String] = [:]
        for shard in shards {
            let folder = shard.store.folder
            var manifest = shard.store.manifest
            manifest.shard = nil
            let differences = manifest.differences(from: reference, words: ("in the first", "in the second"))
            guard differences.isEmpty else {
                throw ResultsError.cannotMerge(
                    reason: "\(one.store.folder) and \(folder) are of different sweeps: "
                        + differences.joined(separator: "; "))
            }
            guard shard.count == one.count else {
                throw ResultsError.cannotMerge(
                    reason: "\(folder) is one of \(shard.count) shards and \(one.store.folder) one of \(one.count)")
            }
            if let other = byIndex[shard.index] {
                throw ResultsError.cannotMerge(
                    reason: "\(other) and \(folder) are both shard \(shard.index)/\(shard.count)")
            }
            byIndex[shard.index] = folder
        }
        let missing = (0..<one.count).filter { byIndex[$0] == nil }
        guard missing.isEmpty else {
            let named =
                missing.prefix(20).map(String.init).joined(separator: ", ") + (missing.count > 20 ? ", ..." : "")
            throw ResultsError.cannotMerge(
                reason:
                    "of \(one.count) shards \(missing.count == 1 ? "one is" : "\(missing.count) are") missing: \(named)"
            )
        }
        for shard in shards where shard.store.manifest.ended == nil {
            throw ResultsError.cannotMerge(
                reason:
                    "\(shard.store.folder) (shard \(shard.index)/\(shard.count)) is not finished; sweep --resume continues it"
            )
        }
        let manifests = shards.map(\.store.manifest)
        reference.host = Set(manifests.map(\.host)).sorted().joined(separator: " ")
        reference.started = manifests.map(\.started).min() ?? reference.started
        reference.ended = manifests.compactMap(\.ended).max()
        // Images skipped by means over all data are named by every shard; older stores have only their number.
        let unnamed = manifests.filter(\.skippedIDs.isEmpty).reduce(0) { $0 + ($1.skipped ?? 0) }
        reference.skippedIDs = Set(manifests.flatMap(\.skippedIDs)).sorted()
        reference.skipped = manifests.allSatisfy { $0.skipped == nil } ? nil : unnamed + reference.skippedIDs.count
        return reference
    }

    /// Shards are ranges of images, so only ranges that overlap are compared image by image.
    private static func checkOverlap(_ shards: [Shard]) throws {
        let sorted = shards.filter { $0.first <= $0.last }.sorted { $0.first < $1.first }
        for (i, a) in sorted.enumerated() {
            for b in sorted[(i + 1)...] where b.first <= a.last {
                try a.store.read { db in
                    let images = try Cursor(
                        db, "SELECT image, id FROM images WHERE image >= ? AND image <= ? ORDER BY image")
                    images.bind(1, b.first)
                    images.bind(2, b.last)
                    try b.store.read { db in
                        let same = try Cursor(db, "SELECT 1 FROM images WHERE image = ?")
                        while try images.next() {
                            same.restart()
                            same.bind(1, images.int(0))
                            guard try !same.next() else {
                                throw ResultsError.cannotMerge(
                                    reason: "image \(images.int(0)) (\(images.text(1))) is in \(a.store.folder) and in "
                                        + b.store.folder)
                            }
                        }
                    }
                }
            }
        }
    }

    /// Copies every image, effect and estimate, in transactions of some ten thousand rows or megabytes.
    private func add(_ shard: ResultsStore) throws -> Int {
        var images: [ImageRecord] = []
        var effects: [EffectRecord] = []
        var estimates: [EstimateRecord] = [], values = 0
        var count = 0
        func flush() throws {
            try append(images: images, effects: effects, estimates: estimates)
            images.removeAll(keepingCapacity: true)
            effects.removeAll(keepingCapacity: true)
            estimates.removeAll(keepingCapacity: true)
            values = 0
        }
        try shard.read { db in
            let image = try Cursor(db, "SELECT \(shard.imageColumns) FROM images ORDER BY image, corruption")
            let effect = try Cursor(
                db,
                "SELECT patch, \(shard.effectColumns) FROM effects WHERE image = ? AND corruption = ? ORDER BY patch"
            )
            let estimate = manifest.estimates.isEmpty ? nil : try EstimateCursor(db, store: shard)
            var last: Int?
            while try image.next() {
                let record = try shard.image(image)
                if record.image != last { count += 1 }
                last = record.image
                images.append(record)
                effect.restart()
                effect.bind(1, record.image)
                effect.bind(2, record.corruption)
                while try effect.next() {
                    effects.append(
                        EffectRecord(
                            image: record.image, corruption: record.corruption, patch: effect.int(0),
                            patched: try shard.patched(effect, from: 1)))
                    if effects.count >= 20_000 { try flush() }
                }
                for name in manifest.estimates {
                    guard let read = try estimate?.values(name, image: record.image, corruption: record.corruption)
                    else { continue }
                    estimates.append(
                        EstimateRecord(
                            image: record.image, corruption: record.corruption, name: name, values: read))
                    values += read.count
                    if values >= 4_000_000 { try flush() }
                }
                if images.count >= 20_000 { try flush() }
            }
        }
        try flush()
        return count
    }

    /// The folder's path with symbolic links resolved.
    private static func resolved(_ folder: String) -> String {
        URL(fileURLWithPath: folder).standardizedFileURL.resolvingSymlinksInPath().path
    }
}
