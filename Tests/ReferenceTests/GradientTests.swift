import Reference
import TestSupport
import Testing

/// The reference's backward pass against central differences of its own forward pass.
struct GradientTests {
    static let tolerance = 1e-6, step = 1e-5

    /// Without relu: its kink may lie within the step.
    @Test(arguments: ["tiny", "gelu-new", "quick-gelu", "one-head-one-layer"], ReferenceMetric.allCases)
    func everySiteAgreesWithCentralDifferences(_ name: String, _ metric: ReferenceMetric) throws {
        let model = try Fixture.load(name).model
        var random = SplitMix64.fresh()
        let seed = random.seed, (t, d) = (model.tokens, model.hiddenSize)
        let embedded = random.doubles(t * d), target = 1, foil = 2
        let (activations, gradients) = model.gradients(of: metric, embedded: embedded, target: target, foil: foil)
        #expect(gradients.count == 1 + 12 * model.layers.count)
        var moved = 0.0
        for (place, gradient) in gradients.sorted(by: { "\($0.key)" < "\($1.key)" }) {
            guard let values = activations[place], values.count == gradient.count else {
                Issue.record("\(name): no activations of \(place)")
                continue
            }
            for _ in 0..<6 {
                let at = Int.random(in: values.indices, using: &random)
                func metricAt(_ offset: Double) -> Double {
                    var changed = values
                    changed[at] += offset
                    let change = Intervention(place.site, layer: place.layer, values: changed)
                    let logits = model.forward(embedded: embedded, interventions: [change]).logits
                    return metric.value(logits, target: target, foil: foil)
                }
                let slope = (metricAt(Self.step) - metricAt(-Self.step)) / (2 * Self.step)
                #expect(
                    abs(slope - gradient[at]) < Self.tolerance * (1 + abs(slope)),
                    "\(name), \(metric), \(place), element \(at), seed \(seed): \(gradient[at]), not \(slope)")
                moved = max(moved, abs(slope))
            }
        }
        #expect(moved > 1e-3, "\(name): nothing has an effect")
    }

    @Test(arguments: ReferenceActivation.allCases)
    func slopesAgreeWithCentralDifferences(_ activation: ReferenceActivation) {
        for x in [-20, -3.3, -1, -0.5, 1e-3, 0.7, 2, 5.5, 30] {
            let slope = (activation(x + 1e-5) - activation(x - 1e-5)) / 2e-5
            #expect(abs(activation.slope(x) - slope) < 1e-8, "\(activation) at \(x)")
        }
    }

    /// With a single class there is no other; its log-odds are 0 by definition.
    @Test func metricsOfFewClasses() {
        #expect(ReferenceMetric.logOdds.gradient([3], target: 0, foil: 0) == [0])
        #expect(ReferenceMetric.logitDifference.gradient([3], target: 0, foil: 0) == [0])
        #expect(ReferenceMetric.logOdds.gradient([3, 1], target: 0, foil: 1) == [1, -1])
    }

    /// Two keys of equal scores: replacing one by a key that scores ln 3 more turns weights of 1/2 into 3/4 and 1/4.
    @Test func keyChangesOfTwoKeys() {
        let ln3 = 1.0986122886681098
        let changes = keyChanges(q: [1], k: [0, 0], v: [0, 8], other: [ln3, 0], gradient: [2], headDim: 1)
        #expect(maxAbsDiff(changes, [-4.0, 0]) < 1e-12)
    }
}
