import Foundation
import GRDB
import TestSupport
import Testing

@testable import Results

@Suite struct MergeTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    /// A sweep of 23 images (some left out by --keep) as one store and as `parts` shards.
    private func sweep(parts: Int, _ random: inout SplitMix64) throws -> (whole: ResultsStore, shards: [String]) {
        let manifest = testManifest(patches: 5, corruptions: ["grayscale", "noise:2"])
        let whole = try ResultsStore.create(folder: folder.path + "/whole", manifest: manifest)
        let shards = try (0..<parts).map { part in
            var own = manifest
            own.shard = "\(part)/\(parts)"
            own.host = "host\(part)"
            own.command = "vitpatch sweep --shard \(part)/\(parts)"
            return try ResultsStore.create(folder: folder.path + "/shard\(part)", manifest: own)
        }
        let count = 23
        for part in 0..<parts {
            for image in (count * part / parts)..<(count * (part + 1) / parts) {
                for corruption in 0..<2 {
                    let kept = Bool.random(using: &random)
                    let record = randomImage(image, corruption: corruption, kept: kept, &random)
                    let effects = kept ? randomEffects(image, corruption: corruption, patches: 0..<5, &random) : []
                    for store in [whole, shards[part]] { try store.append(images: [record], effects: effects) }
                }
            }
        }
        for store in shards + [whole] {
            try store.finish()
            try store.close()
        }
        return (try ResultsStore.open(folder: whole.folder), shards.map(\.folder))
    }

    private func message(_ folders: [String], into out: String? = nil, overwrite: Bool = false) -> String? {
        #expect(throws: ResultsError.self) {
            try ResultsStore.merge(folders, into: out ?? folder.path + "/out", overwrite: overwrite)
        }?.description
    }

    @Test(arguments: [1, 2, 4, 30]) func sameBytesAsWithoutShards(parts: Int) throws {
        var random = SplitMix64.fresh()
        let (whole, shards) = try sweep(parts: parts, &random)
        let out = folder.path + "/out"
        #expect(try ResultsStore.merge(shards.shuffled(using: &random), into: out) == 23)
        let merged = try ResultsStore.open(folder: out)
        for format in ExportFormat.allCases {
            #expect(try merged.exported(format) == whole.exported(format), "seed \(random.seed)")
        }
        for corruption in 0..<2 {
            #expect(try merged.counts(corruption: corruption) == whole.counts(corruption: corruption))
        }
        #expect(try merged.isFinished() && merged.manifest.shard == nil)
        #expect(merged.manifest.differences(from: whole.manifest).isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: out) == ["results.sqlite"])
    }

    /// Groups and logits are merged too.
    @Test func groupsAndLogits() throws {
        var random = SplitMix64.fresh()
        var manifest = testManifest(patches: 2)
        manifest.logits = true
        let groups = [ImageGroups(column: "sex", values: [0: "f", 1: "m", 3: "f"])]
        func store(_ name: String, _ shard: String?, _ images: Range<Int>, _ groups: [ImageGroups]) throws -> String {
            var own = manifest
            own.shard = shard
            let store = try ResultsStore.create(folder: folder.path + "/" + name, manifest: own, groups: groups)
            for image in images {
                var random = SplitMix64(seed: UInt64(image))
                let logits = [(LogitsRecord.Pass.clean, nil), (.corrupted, nil), (.patched, 0), (.patched, 1)].map {
                    LogitsRecord(
                        image: image, corruption: 0, pass: $0, patch: $1,
                        values: (0..<3).map { _ in Float.random(in: -9...9, using: &random) })
                }
                try store.append(
                    images: [randomImage(image, &random)], effects: randomEffects(image, patches: 0..<2, &random),
                    logits: logits)
            }
            try store.finish()
            try store.close()
            return store.folder
        }
        func logits(_ folder: String) throws -> [LogitsRecord] {
            var all: [LogitsRecord] = []
            try ResultsStore.open(folder: folder).forEachLogits { all.append($0) }
            return all
        }
        let whole = try store("whole", nil, 0..<5, groups)
        let shards = [try store("a", "0/2", 0..<2, groups), try store("b", "1/2", 2..<5, groups)]
        try ResultsStore.merge(shards, into: folder.path + "/out")
        let merged = try ResultsStore.open(folder: folder.path + "/out")
        #expect(try merged.groups() == groups)
        #expect(try merged.exported() == ResultsStore.open(folder: whole).exported())
        #expect(try logits(merged.folder) == logits(whole) && logits(whole).count == 20)

        let other = try store("c", "1/2", 2..<5, [])
        #expect(message([shards[0], other], overwrite: true)?.contains("made with different --groups") == true)
        #expect(try ResultsStore.open(folder: merged.folder).groups() == groups)
        _ = random.next()
    }

    /// A merge that fails while writing leaves the existing store unchanged.
    @Test(arguments: [true, false]) func aDamagedShard(_ replaces: Bool) throws {
        var random = SplitMix64.fresh()
        let (_, shards) = try sweep(parts: 2, &random)
        let out = folder.path + "/out"
        if replaces { try ResultsStore.merge(shards, into: out) }
        let before = replaces ? try ResultsStore.open(folder: out).exported() : ""
        // The last image's row, which is read last
        let queue = try DatabaseQueue(path: shards[1] + "/results.sqlite")
        try queue.write { try $0.execute(sql: "UPDATE images SET label = 1e15 WHERE image = 22") }
        try queue.close()
        #expect(message(shards, into: out, overwrite: true)?.contains("\(shards[1])/results.sqlite is damaged") == true)
        if replaces { #expect(try ResultsStore.open(folder: out).exported() == before) }
        let left = (try? FileManager.default.contentsOfDirectory(atPath: out)) ?? []
        #expect(left == (replaces ? ["results.sqlite"] : []))
    }

    @Test func whatDoesNotBelongTogether() throws {
        var random = SplitMix64.fresh()
        let (whole, shards) = try sweep(parts: 4, &random)
        #expect(message([]) == "cannot merge: there are no shards to merge")
        #expect(message(Array(shards[..<2])) == "cannot merge: of 4 shards 2 are missing: 2, 3")
        #expect(message([shards[0], shards[1], shards[3]]) == "cannot merge: of 4 shards one is missing: 2")
        #expect(message(shards + [shards[1]])?.hasSuffix("are both shard 1/4") == true)
        #expect(message([whole.folder]) == "cannot merge: \(whole.folder) is not a shard: its sweep had no --shard")
        #expect(message(shards, into: shards[2], overwrite: true)?.contains("is one of the shards") == true)
        #expect(
            message(shards, into: shards[2] + "/../shard2/", overwrite: true)?.contains("is one of the shards") == true)

        func other(_ name: String, _ change: (inout Manifest) -> Void, finish: Bool = true, image: Int? = nil) throws
            -> String
        {
            var manifest = try ResultsStore.open(folder: shards[3]).manifest
            manifest.ended = nil
            change(&manifest)
            let store = try ResultsStore.create(folder: folder.path + "/" + name, manifest: manifest)
            if let image { try store.append(images: [randomImage(image, kept: false, &random)], effects: []) }
            if finish { try store.finish() }
            return store.folder
        }
        let seed = try other("seed", { $0.seed = 8 })
        #expect(
            message([shards[0], shards[1], shards[2], seed])
                == "cannot merge: \(shards[0]) and \(seed) are of different sweeps: seed is 7 in the first and 8 in the second"
        )
        let five = try other("five", { $0.shard = "3/5" })
        #expect(message([shards[0], five]) == "cannot merge: \(five) is one of 5 shards and \(shards[0]) one of 4")
        let running = try other("running", { _ in }, finish: false)
        #expect(message(Array(shards[..<3]) + [running])?.contains("is not finished") == true)
        let overlapping = try other("overlapping", { _ in }, image: 7)
        #expect(
            message(Array(shards[..<3]) + [overlapping])
                == "cannot merge: image 7 (cat/7.png) is in \(shards[1]) and in \(overlapping)")
        // None of them left a file behind.
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/out/results.sqlite"))
        // Shards that interleave without a common image do not overlap.
        let between = try other("between", { _ in }, image: 99)
        #expect(try ResultsStore.merge(Array(shards[..<3]) + [between], into: folder.path + "/out") == 18)
        #expect(message(shards)?.contains("already exists") == true)
        #expect(try ResultsStore.merge(shards, into: folder.path + "/out", overwrite: true) == 23)
    }
}
