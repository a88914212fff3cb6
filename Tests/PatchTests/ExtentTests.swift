import Patch
import Testing
import ViT

private let config = ViTConfig(
    hiddenSize: 12, layers: 6, heads: 3, intermediateSize: 10, imageSize: 8, patchSize: 2, labels: ["a", "b"])

@Suite struct ExtentTests {
    @Test(
        arguments: [
            ("attn_out 1 layer", [Part(site: .attnOut, layers: [4])], false),
            ("attn_out 2 layers", [Part(site: .attnOut, layers: [0, 1])], true),
            (
                "attn_out+mlp_out 3 layers",
                [Part(site: .attnOut, layers: [1, 2, 3]), Part(site: .mlpOut, layers: [1, 2, 3])], true
            ),
            ("attn_out+mlp_out 1 layer", [Part(site: .attnOut, layers: [1]), Part(site: .mlpOut, layers: [1])], false),
            ("z 1 layer 1 head", [Part(site: .z, layers: [2], heads: [1])], false),
            ("z 1 layer 2 heads", [Part(site: .z, layers: [2], heads: [0, 1])], true),
            ("z 1 layer", [Part(site: .z, layers: [2], heads: [0, 1, 2])], false),
            ("embed", [Part(site: .embed, layers: [])], false),
            ("embed 16 tokens", [Part(site: .embed, layers: [], tokens: Array(1..<17))], false),
            ("embed 4 tokens", [Part(site: .embed, layers: [], tokens: [1, 2, 5, 6])], true),
            ("resid_post 1 layer 1 token", [Part(site: .residPost, layers: [5], tokens: [7])], false),
            ("resid_post 1 layer CLS", [Part(site: .residPost, layers: [5], tokens: [0])], false),
            ("resid_post 1 layer CLS and 1 token", [Part(site: .residPost, layers: [5], tokens: [0, 7])], true),
            ("resid_post 1 layer", [Part(site: .residPost, layers: [5], tokens: Array(0..<17))], false),
            ("mlp_act 1 layer 2 neurons", [Part(site: .mlpAct, layers: [5], neurons: [3, 8])], true),
            // Parts that make up one set of heads, and parts that do not
            (
                "z 2 layers 1 head",
                [Part(site: .z, layers: [0], heads: [1]), Part(site: .z, layers: [4], heads: [1])], true
            ),
            (
                "z 1 layer 1 head + z 1 layer 2 heads",
                [Part(site: .z, layers: [1], heads: [1]), Part(site: .z, layers: [0], heads: [0, 2])], true
            ),
            (
                "mlp_out 1 layer + q 1 layer 1 head CLS",
                [Part(site: .mlpOut, layers: [3]), Part(site: .q, layers: [1], heads: [0], tokens: [0])], true
            ),
        ] as [(String, [Part], Bool)])
    func inWords(_ text: String, _ parts: [Part], _ several: Bool) {
        let patch = Patch(parts: parts)
        #expect(patch.extent(config) == text)
        #expect(patch.coversSeveralPlaces(config) == several)
    }

    @Test func moved() {
        let patch = Patch(
            direction: .noising, with: .zero,
            parts: [
                Part(site: .z, layers: [0, 1], heads: [0, 2], tokens: [0, 1, 16]),
                Part(site: .mlpAct, layers: [5], neurons: [9]),
                Part(site: .embed, layers: []),
            ])
        let other = patch.moved(
            layers: [4, 2, 0, 1, 3, 5], heads: [2, 0, 1], tokens: Array((0..<16).reversed()),
            neurons: Array((0..<10).reversed()), prefixTokens: 1)
        #expect(
            other
                == Patch(
                    direction: .noising, with: .zero,
                    parts: [
                        Part(site: .z, layers: [2, 4], heads: [1, 2], tokens: [0, 1, 16]),
                        Part(site: .mlpAct, layers: [5], neurons: [0]), Part(site: .embed, layers: []),
                    ]))
        #expect(other.extent(config) == patch.extent(config))
    }
}
