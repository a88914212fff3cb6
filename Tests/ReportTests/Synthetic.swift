import Foundation
import Results
import StoreTestSupport
import TestSupport

/// Synthetic sweeps for tests of the report: images of ten classes, effects that depend on the place, the image and
/// chance.
enum Synthetic: String, CaseIterable {
    /// Two sites, windows 1 and 3, both directions
    case layers
    /// 12 layers of 12 heads
    case heads
    /// CLS and an 8 x 8 grid, in 4 layers
    case tokens
    /// noise:0.5 ... noise:4
    case doses
    /// Heads and tokens at once
    case places
    /// Sets of layers, the embeddings, and names that must be escaped in HTML
    case odd

    private func place(
        _ layer: String, direction: String = "restore", site: String = "attn_out", head: String = "",
        token: String = "",
        window: String = "1"
    ) -> PatchRecord {
        PatchRecord(direction: direction, site: site, layer: layer, head: head, token: token, window: window)
    }

    var patches: [PatchRecord] {
        switch self {
        case .layers:
            ["restore", "noise"].flatMap { direction in
                ["attn_out", "mlp_out"].flatMap { site in
                    ["1", "3"].flatMap { window in
                        (0..<12).map { place("\($0)", direction: direction, site: site, window: window) }
                    }
                }
            }
        case .heads: (0..<12).flatMap { layer in (0..<12).map { place("\(layer)", site: "z", head: "\($0)") } }
        case .tokens:
            (0..<4).flatMap { layer in (0..<65).map { place("\(layer)", site: "resid_post", token: "\($0)") } }
        case .doses: ["1", "3"].flatMap { window in (0..<8).map { place("\($0)", window: window) } }
        case .places:
            (0..<2).flatMap { layer in
                (0..<3).flatMap { head in
                    (0..<9).map { place("\(layer)", site: "pattern", head: "\(head)", token: "\($0)") }
                }
            }
        case .odd:
            [place("", site: "embed", window: ""), place("0+5", window: ""), place("3,4&<script>", site: "a<b>\"")]
                + (0..<3).map { place("\($0)", site: "resid_mid") }
        }
    }

    var corruptions: [String] {
        switch self {
        case .doses: ["noise:0.5", "noise:1", "noise:2", "noise:4"]
        case .odd: ["pair:/data/<b>&\"x\""]
        default: ["grayscale"]
        }
    }

    private func size(_ patch: PatchRecord) -> Double {
        let layer = Double(patch.layer) ?? 4
        var size = exp(-(layer - 4) * (layer - 4) / 8) * (patch.site == "mlp_out" ? 0.16 : 0.08)
        if patch.window == "3" { size *= 3.4 }
        if let head = Double(patch.head) {
            size = (layer, head) == (7, 3) ? 0.3 : (layer, head) == (9, 10) ? -0.2 : size * sin(head * 2 + layer) / 3
        }
        if let token = Int(patch.token), token > 0 {
            let (x, y) = (Double((token - 1) % 8) - 3.5, Double((token - 1) / 8) - 4.5)
            size = 0.2 * exp(-(x * x + y * y) / 6) - 0.02 + layer * 0.01
        }
        return size
    }

    /// A store of `images` images; `seed` determines all numbers.
    func store(folder: String, images count: Int, seed: UInt64) throws -> ResultsStore {
        var random = SplitMix64(seed: seed)
        let names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
        var manifest = Manifest(
            version: "0.1.0", model: "models/vit-<tiny>", modelHash: "aa11bb22cc33dd44ee55", data: "photos & more",
            dataHash: "ff00112233445566", spec: "{}", corruptions: corruptions, patches: patches, classNames: names,
            seed: 7, limit: count, device: "a device", driver: "1.2", gemm: "packed",
            command: "vitpatch sweep --data 'photos & more'")
        manifest.layers = 12
        let store = try ResultsStore.create(folder: folder, manifest: manifest)
        func pass(_ p: Double, _ label: Int) -> PassMetrics {
            let p = min(0.999, max(0.001, p))
            return PassMetrics(
                p: Float(p), logit: Float(log(p)), logitDiff: Float(log(p / (1 - p))),
                kl: Float(1 - p),
                prediction: p > 0.5 ? label : (label + 1) % names.count)
        }
        for corruption in corruptions.indices {
            let strength = self == .doses ? Double(corruption + 1) / 4 : 1
            for index in 0..<count {
                let label = index % names.count
                let own = Double.random(in: 0...1, using: &random) * (0.5 + Double(label) / 10)
                let clean = 0.6 + 0.35 * own, corrupted = clean - strength * (0.1 + 0.4 * own)
                try store.append(
                    images: [
                        ImageRecord(
                            image: index, id: "\(names[label])/\(index).png", corruption: corruption, label: label,
                            target: label, foil: (label + 1) % names.count, clean: pass(clean, label),
                            corrupted: pass(corrupted, label))
                    ],
                    effects: patches.enumerated().map { number, patch in
                        let effect = strength * size(patch) * (own + 0.3) + .random(in: -0.06...0.06, using: &random)
                        let p = patch.direction == "noise" ? clean - effect : corrupted + effect
                        return EffectRecord(
                            image: index, corruption: corruption, patch: number, patched: pass(p, label))
                    })
            }
        }
        try store.finish()
        return store
    }
}
