import Files
import Foundation
import Results
import TestSupport
import Testing

@Suite struct ExportTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    @Test func exactText() throws {
        var manifest = testManifest(patches: 1, corruptions: ["grayscale", "mask:0.5"])
        manifest.patches.append(
            PatchRecord(
                direction: "noise", site: "z", layer: "0+5", head: "3", token: "cls", window: "", control: true,
                extent: "z 2 layers 1 head CLS"))
        manifest.patchWith = "mean"
        let store = try ResultsStore.create(folder: folder.path, manifest: manifest)
        func pass(_ p: Float) -> PassMetrics {
            PassMetrics(p: p, logit: 10 * p, logitDiff: -p, kl: p / 4, prediction: Int(8 * p), logOdds: p - 1)
        }
        func image(_ index: Int, _ id: String, _ corruption: Int, kept: Bool = true) -> ImageRecord {
            ImageRecord(
                image: index, id: id, corruption: corruption, label: 1, target: 2, foil: 3, clean: pass(0.75),
                corrupted: pass(0.25), kept: kept)
        }
        try store.append(
            images: [image(4, "b", 1), image(4, "b", 0), image(2, "a", 0), image(3, "x", 0, kept: false)],
            effects: [(4, 1, 0), (4, 0, 1), (4, 0, 0), (2, 0, 0)].map {
                EffectRecord(image: $0, corruption: $1, patch: $2, patched: pass(0.5))
            })
        let tail = "0.75,0.25,0.5,7.5,2.5,5.0,-0.75,-0.25,-0.5,0.125,6,2,4"
        let end = "-0.25,-0.75,-0.5,0.0625,mean,"
        #expect(
            try store.exported() == """
                image,label,target,foil,corruption,direction,site,layer,head,token,window,p_clean,p_corrupted,\
                p_patched,logit_clean,logit_corrupted,logit_patched,logit_diff_clean,logit_diff_corrupted,\
                logit_diff_patched,kl_patched,pred_clean,pred_corrupted,pred_patched,control,extent,log_odds_clean,\
                log_odds_corrupted,log_odds_patched,kl_corrupted,patch_with,donor
                a,1,2,3,grayscale,restore,attn_out,0,,,1,\(tail),0,,\(end)
                b,1,2,3,grayscale,restore,attn_out,0,,,1,\(tail),0,,\(end)
                b,1,2,3,grayscale,noise,z,0+5,3,cls,,\(tail),1,z 2 layers 1 head CLS,\(end)
                b,1,2,3,mask:0.5,restore,attn_out,0,,,1,\(tail),0,,\(end)

                """)
        let first = try #require(store.exported(.jsonl).split(separator: "\n").first)
        #expect(
            first == """
                {"image":"a","label":1,"target":2,"foil":3,"corruption":"grayscale","direction":"restore",\
                "site":"attn_out","layer":"0","head":null,"token":null,"window":"1","p_clean":0.75,\
                "p_corrupted":0.25,"p_patched":0.5,"logit_clean":7.5,"logit_corrupted":2.5,"logit_patched":5.0,\
                "logit_diff_clean":-0.75,"logit_diff_corrupted":-0.25,"logit_diff_patched":-0.5,\
                "kl_patched":0.125,"pred_clean":6,"pred_corrupted":2,"pred_patched":4,"control":0,"extent":null,\
                "log_odds_clean":-0.25,"log_odds_corrupted":-0.75,"log_odds_patched":-0.5,"kl_corrupted":0.0625,\
                "patch_with":"mean","donor":null}
                """)
    }

    /// Every float keeps its bits through the store and the text.
    @Test func floatsRoundTrip() throws {
        var random = SplitMix64.fresh()
        var values: [Float] = [
            0, .leastNonzeroMagnitude, -.leastNonzeroMagnitude, .leastNormalMagnitude, .leastNormalMagnitude.nextDown,
            .greatestFiniteMagnitude, -.greatestFiniteMagnitude, .infinity, -.infinity, .nan, 0.1, 1, 16_777_216,
            1e-5, 1e10, .pi,
        ]
        while values.count < 1000 {  // all exponents, subnormals among them
            let value = Float(bitPattern: UInt32.random(in: 0...(.max), using: &random))
            // SQLite does not keep the sign of zero or the payload of a NaN.
            if value != 0 { values.append(value.isNaN ? .nan : value) }
        }
        for _ in 0..<100 { values.append(Float(bitPattern: .random(in: 1..<0x80_0000, using: &random))) }
        values.shuffle(using: &random)
        let store = try ResultsStore.create(folder: folder.path, manifest: testManifest(patches: values.count))
        try store.append(
            images: [randomImage(0, &random)],
            effects: values.enumerated().map { patch, value in
                EffectRecord(
                    image: 0, corruption: 0, patch: patch,
                    patched: PassMetrics(
                        p: value, logit: value, logitDiff: value, kl: value, prediction: 0, logOdds: value))
            })
        let lines = try store.exported().split(separator: "\n").dropFirst()
        let json = try store.exported(.jsonl).split(separator: "\n")
        #expect(lines.count == values.count && json.count == values.count)
        for ((line, object), value) in zip(zip(lines, json), values) {
            let fields = line.split(separator: ",", omittingEmptySubsequences: false)
            for column in [13, 16, 19, 20, 28] {
                #expect(Float(fields[column])?.bitPattern == value.bitPattern, "\(value), seed \(random.seed)")
            }
            let parsed = try JSONSerialization.jsonObject(with: Data(object.utf8)) as? [String: Any]
            let p = (parsed?["p_patched"] as? NSNumber).map { Float($0.doubleValue) }
            #expect(p == (value.isFinite ? value : nil), "\(object), seed \(random.seed)")
        }
    }

    @Test func quoting() throws {
        let ids = ["plain", "a,b", "say \"hi\"", "two\nlines", "cr\rlf", "ünï", "back\\slash\t", "\"", ""]
        var random = SplitMix64.fresh()
        let store = try ResultsStore.create(folder: folder.path, manifest: testManifest(patches: 1))
        for (index, id) in ids.enumerated() {
            try store.append(
                images: [randomImage(index, id: id, &random)],
                effects: randomEffects(index, patches: 0..<1, &random))
        }
        let records = try parseCSV(store.exported())
        #expect(records.dropFirst().map { $0[0] } == ids)
        #expect(records.allSatisfy { $0.count == 32 })
        #expect(try store.exported().contains("\n\"say \"\"hi\"\"\","))
        for (line, id) in zip(try store.exported(.jsonl).split(separator: "\n"), ids) {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            #expect(object?["image"] as? String == (id.isEmpty ? nil : id))
        }
    }

    @Test func toAFile() throws {
        var random = SplitMix64.fresh()
        let store = try ResultsStore.create(folder: folder.path, manifest: testManifest(patches: 40))
        for image in 0..<100 {  // several write buffers
            try store.append(
                images: [randomImage(image, &random)], effects: randomEffects(image, patches: 0..<40, &random))
        }
        let file = folder.path + "/out.csv"
        try "longer than what is written? no, but it must go".write(toFile: file, atomically: true, encoding: .utf8)
        try store.export(.csv, to: file)
        #expect(try String(contentsOfFile: file, encoding: .utf8) == store.exported())

        let error = #expect(throws: FileError.self) { try store.export(.csv, to: folder.path + "/no/out.csv") }
        #expect(error?.description == "cannot write \(folder.path)/no/out.csv: No such file or directory")
        let full = #expect(throws: FileError.self) { try store.export(.csv, to: "/dev/full") }
        #expect(full?.description == "cannot write /dev/full: the disk is full")
    }

    /// The store by name, through a link, and as SQLite's own files; also another store.
    @Test func notOverAStore() throws {
        var random = SplitMix64.fresh()
        let store = try ResultsStore.create(folder: folder.path + "/a", manifest: testManifest(patches: 2))
        try store.append(images: [randomImage(0, &random)], effects: randomEffects(0, patches: 0..<2, &random))
        let wanted = try store.exported()
        try store.close()
        let other = try ResultsStore.create(folder: folder.path + "/b", manifest: testManifest())
        try other.close()
        let link = folder.path + "/link.csv"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "a/results.sqlite")
        let own = ResultsStore.files(in: store.folder) + [folder.path + "/b/../a/results.sqlite", link, other.path]
        let opened = try ResultsStore.open(folder: store.folder)
        for path in own {
            for format in ExportFormat.allCases {
                #expect(throws: FileError.self, "\(path)") { try opened.export(format, to: path) }
            }
            #expect(throws: FileError.self, "\(path)") { try opened.exportNPZ(to: path) }
        }
        #expect(try ResultsStore.open(folder: store.folder).exported() == wanted)
        #expect(try ResultsStore.open(folder: other.folder).manifest == testManifest())
        for folder in [store.folder, other.folder] {
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["results.sqlite"])
        }
    }

    @Test func theViewHasTheSameRows() throws {
        #expect(ResultsStore.exportColumns.count == 24)
        var random = SplitMix64.fresh()
        let manifest = testManifest(patches: 2, corruptions: ["grayscale", "blur:1"])
        let store = try ResultsStore.create(folder: folder.path, manifest: manifest)
        for corruption in 0..<2 {
            try store.append(
                images: (0..<3).map { randomImage($0, corruption: corruption, kept: $0 != 1, &random) },
                effects: [0, 2].flatMap { randomEffects($0, corruption: corruption, patches: 0..<2, &random) })
        }
        let lines = try parseCSV(store.exported())
        let rows = try store.viewRows()
        #expect(rows.first == ResultsStore.exportColumns + ResultsStore.furtherColumns)
        #expect(rows == lines, "seed \(random.seed)")
    }
}

/// RFC 4180, character by character.
private func parseCSV(_ text: String) -> [[String]] {
    var records: [[String]] = []
    var fields = [""]
    var quoted = false
    let scalars = Array(text.unicodeScalars)
    var at = 0
    while at < scalars.count {
        let c = scalars[at]
        at += 1
        if quoted {
            if c != "\"" {
                fields[fields.count - 1].unicodeScalars.append(c)
            } else if at < scalars.count, scalars[at] == "\"" {
                fields[fields.count - 1] += "\""
                at += 1
            } else {
                quoted = false
            }
        } else {
            switch c {
            case "\"": quoted = true
            case ",": fields.append("")
            case "\n":
                records.append(fields)
                fields = [""]
            default: fields[fields.count - 1].unicodeScalars.append(c)
            }
        }
    }
    return records
}
