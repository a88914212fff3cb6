import Foundation
import Results

/// A store in a temporary folder, removed with it.
package final class TemporaryStore {
    package let store: ResultsStore

    package init(_ manifest: Manifest) throws {
        store = try ResultsStore.create(
            folder: FileManager.default.temporaryDirectory.path + "/vitpatch-\(UUID().uuidString)",
            manifest: manifest)
    }

    deinit { try? FileManager.default.removeItem(atPath: store.folder) }
}

package func testManifest(patches: [PatchRecord], corruptions: [String] = ["grayscale"]) -> Manifest {
    Manifest(
        version: "0.1.0", model: "models/tiny", modelHash: "aa11bb22cc33dd44", data: "images",
        dataHash: "ff00112233445566", spec: "{}", corruptions: corruptions, patches: patches,
        classNames: ["cat", "dog"], seed: 7, device: "some device")
}

package func patch(
    _ layer: Int, _ direction: String = "restore", site: String = "attn_out", head: String = "", token: String = "",
    window: String = "1"
) -> PatchRecord {
    PatchRecord(direction: direction, site: site, layer: "\(layer)", head: head, token: token, window: window)
}

package func image(_ index: Int, clean: PassMetrics, corrupted: PassMetrics, kept: Bool = true) -> ImageRecord {
    ImageRecord(
        image: index, id: "\(index)", corruption: 0, label: 0, target: 0, foil: 1, clean: clean,
        corrupted: corrupted, kept: kept)
}

/// Within `tolerance` of each other, relative for values above 1
package func close(_ a: Double, _ b: Double, _ tolerance: Double = 1e-9) -> Bool {
    abs(a - b) <= tolerance * max(1, abs(b))
}
