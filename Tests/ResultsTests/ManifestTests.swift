import Foundation
import Results
import TestSupport
import Testing

@Suite struct ManifestTests {
    @Test func everyFieldSurvivesTheStore() throws {
        let folder = try TemporaryFolder()
        var manifest = testManifest()
        manifest.donor = "models/gray"
        manifest.donorHash = "1234"
        manifest.seed = .max
        manifest.shard = "2/8"
        manifest.control = 20
        (manifest.foil, manifest.patchWith, manifest.partner, manifest.noiseSD) = ("3", "mean", "other-class", "data")
        (manifest.patches[2].control, manifest.patches[2].extent) = (true, "attn_out 3 layers")
        manifest.ended = "2025-01-01T01:00:00Z"
        manifest.command = "vitpatch sweep --model 'a b' --spec \"ü\n\""
        try ResultsStore.create(folder: folder.path, manifest: manifest).close()
        #expect(try ResultsStore.open(folder: folder.path).manifest == manifest)
        let json = try JSONEncoder().encode(manifest)
        #expect(try JSONDecoder().decode(Manifest.self, from: json) == manifest)
    }

    @Test func whatDoesNotChangeTheResults() {
        var now = testManifest()
        now.host = "there"
        now.command = "vitpatch sweep --resume"
        now.started = "2026-01-01T00:00:00Z"
        now.ended = now.started
        now.model = "elsewhere/tiny"
        now.data = "/mnt/images"
        #expect(now.differences(from: testManifest()) == [])
    }

    @Test func differencesAreNamed() {
        func differences(_ change: (inout Manifest) -> Void) -> [String] {
            var now = testManifest()
            change(&now)
            return now.differences(from: testManifest())
        }
        #expect(differences { $0.limit = nil } == ["limit is 100 there and not set now"])
        #expect(
            differences {
                $0.seed = 8; $0.offset = 5
            } == [
                "seed is 7 there and 8 now", "offset is 0 there and 5 now",
            ])
        #expect(
            differences {
                $0.model = "b"; $0.modelHash = "0123456789abcdef"
            } == [
                "model is models/tiny (aa11bb22cc33) there and b (0123456789ab) now"
            ])
        #expect(differences { $0.dataHash = "ee" } == ["data is images (ff00) there and images (ee) now"])
        #expect(
            differences {
                $0.donor = "d"; $0.donorHash = "e"
            } == ["donor is not set there and d (e) now"])
        // Stores of versions without these options
        #expect(differences { ($0.foil, $0.partner, $0.noiseSD) = ("corrupted", "any", "image") } == [])
        #expect(differences { $0.foil = "pooled" } == ["foil is corrupted there and pooled now"])
        #expect(
            differences { ($0.partner, $0.noiseSD) = ("other-class", "data") } == [
                "partner is any there and other-class now", "noise-sd is image there and data now",
            ])
        #expect(differences { $0.corruptions = ["blur:2"] } == ["corruption is grayscale there and blur:2 now"])
        #expect(differences { $0.patches.removeLast() } == ["the number of patches is 3 there and 2 now"])
        #expect(
            differences { $0.patches[1].window = "3" } == [
                "patch 1 is restore attn_out layer 1 window 1 there and restore attn_out layer 1 window 3 now"
            ])
        #expect(
            differences {
                $0.control = 5; $0.patches[2].control = true
            } == [
                "control is 0 there and 5 now",
                "patch 2 is restore attn_out layer 2 window 1 there and control restore attn_out layer 2 window 1 now",
            ])
        #expect(differences { $0.classNames = [] } == ["the class names differ"])
        #expect(differences { $0.spec = "{}" } == [#"the spec is {"site":"attn_out"} there and {} now"#])
        for change: (inout Manifest) -> Void in [
            { $0.version = "0.2.0" }, { $0.samples = 2 }, { $0.shard = "0/2" }, { $0.keep = "flipped" },
            { $0.target = "clean" }, { $0.device = "gpu" }, { $0.driver = "2" }, { $0.precision = "fp16" },
            { $0.gemm = "packed" },
        ] { #expect(differences(change).count == 1) }
    }

    @Test func resumeRefusesAnotherSweep() throws {
        let folder = try TemporaryFolder()
        let manifest = testManifest()
        try ResultsStore.create(folder: folder.path, manifest: manifest).close()
        var other = manifest
        other.seed = 1
        let error = #expect(throws: ResultsError.self) {
            try ResultsStore.resume(folder: folder.path, manifest: other)
        }
        #expect(
            error?.description
                == "\(folder.path)/results.sqlite holds another sweep: seed is 7 there and 1 now")
        _ = try ResultsStore.resume(folder: folder.path, manifest: manifest)
    }
}
