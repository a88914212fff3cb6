import Patch
import TestSupport
import Testing
import Verification
import ViT

/// Non-finite logits end a wave with an error that names the image and the first output that is not finite.
@Suite(.serialized) struct NonFiniteTests {
    /// A model that overflows at one place, or nowhere.
    private func rig(_ change: (inout ViTWeights) -> Void = { _ in }) throws -> (Rig, RandomModel) {
        var random = SplitMix64.fresh()
        let model = RandomModel(using: &random)
        var weights = model.weights
        change(&weights)
        return (try Rig(config: model.config, weights: weights), model)
    }

    private func failure(
        _ rig: Rig, _ model: RandomModel, clean: Float = 1, corrupted: Float = 1, patches: [Patch] = []
    ) throws -> NonFinite? {
        var random = SplitMix64.fresh()
        func images(_ scale: Float) -> [[Float]] {
            (0..<3).map { image in model.pixels(using: &random).map { $0 * (image == 1 ? scale : 1) } }
        }
        let wavefront = try rig.wavefront(images: 3, patches: patches)
        do {
            _ = try wavefront.run(
                .init(clean: images(clean), corrupted: images(corrupted), labels: [0, 1, -1]), patches: patches)
            return nil
        } catch let error as NonFinite { return error }
    }

    private func large(_ weight: Weight) -> Weight { Weight(weight.floats.map { $0 * 3e38 }) }

    @Test func numbersPass() throws {
        let (rig, model) = try rig()
        #expect(try failure(rig, model, patches: rig.patches()) == nil)
    }

    @Test func pixelsOutOfRange() throws {
        let (rig, model) = try rig()
        for (clean, corrupted) in [(Float.infinity, Float(1)), (1, .nan), (1, 1e38)] {
            let error = try failure(rig, model, clean: clean, corrupted: corrupted)
            #expect(error == NonFinite(image: 1, place: "the encoder's input"), "\(clean), \(corrupted)")
        }
    }

    @Test func weightsOutOfRange() throws {
        let changes: [(String, (inout ViTWeights) -> Void)] = [
            ("the output of layer 0's attention", { $0.layers[0].qkvWeight = self.large($0.layers[0].qkvWeight) }),
            ("the output of layer 1's attention", { $0.layers[1].projWeight = self.large($0.layers[1].projWeight) }),
            ("the output of layer 2's MLP", { $0.layers[2].fc2Weight = self.large($0.layers[2].fc2Weight) }),
            ("the classifier's output", { $0.headWeight = self.large($0.headWeight) }),
        ]
        for (place, change) in changes {
            let (rig, model) = try rig(change)
            for patches in [[], [Patch(sites: [.attnOut], layers: [2]), Patch(sites: [.mlpPre], layers: [1])]] {
                let error = try failure(rig, model, patches: patches)
                #expect(error?.place == place && error?.image == 0)
            }
        }
    }
}
