import Foundation
import Patch
import Reference
import TestSupport
import Testing
import ViT

@testable import Kernels

/// The wavefront against float64 hooks on transformers' models.
@Suite(.serialized) struct WavefrontFixtureTests {
    /// float32 keeps probabilities within this of float64 over a few layers of width 14 to 28.
    static let tolerance = 2e-5

    @Test(arguments: Fixture.names)
    func patchedPassesMatchTransformers(_ name: String) throws {
        try match(name, Rig(fixture: name), tolerance: Self.tolerance)
    }

    /// bf16x3 on a model of AMX's tiles, in products of all sizes. Sums of 14 to 28 products average little: errors
    /// reach 3.9e-5.
    @Test(arguments: Fixture.names)
    func patchedPassesMatchInTwoParts(_ name: String) throws {
        try match(
            name, Rig(fixture: name) { try AMXGEMM($0, precision: .bf16x3, units: .model) }, tolerance: 6e-5)
    }

    /// bf16x3 as sweeps have it on a CPU with AMX

    @Test(
        .enabled(if: AMX.obstacle == nil, Comment(rawValue: "not run: \(AMX.obstacle ?? "")")),
        arguments: Fixture.names)
    func patchedPassesMatchInBF16x3(_ name: String) throws {
        try match(name, Rig(fixture: name, precision: .bf16x3), tolerance: Self.tolerance)
    }

    private func match(_ name: String, _ rig: Rig, tolerance: Double) throws {
        let fixture = try Fixture.load(name)
        var compared = 0
        for (index, pair) in fixture.pairs.enumerated() {
            let cases = fixture.cases.filter { $0.pair == index }
            let patches = cases.map { item in
                Patch(
                    direction: item.direction == .restore ? .restore : .noising,
                    sites: item.sites.compactMap { Site(rawValue: $0.rawValue) },
                    layers: item.layers, heads: item.heads, tokens: item.tokens)
            }
            let wavefront = try rig.wavefront(images: 1, patches: patches, chunkRows: 5)
            let output = try wavefront.run(
                .init(clean: [pair.clean.pixels], corrupted: [pair.corrupted.pixels], labels: [pair.target]),
                patches: patches, keepLogits: true)

            let clean = softmax(pair.clean.logits), corrupted = softmax(pair.corrupted.logits)
            #expect(maxAbsDiff(softmax(output.cleanLogits.map(Double.init)), clean) < tolerance)
            #expect(maxAbsDiff(softmax(output.corruptedLogits.map(Double.init)), corrupted) < tolerance)
            #expect(abs(Double(output.clean[0].p) - clean[pair.target]) < tolerance)
            for (k, item) in cases.enumerated() {
                let expected = softmax(item.logits)
                let found = softmax(output.patchedLogits[k].map(Double.init))
                #expect(maxAbsDiff(found, expected) < tolerance, "\(name): \(item)")
                #expect(
                    abs(Double(output.patched[k][0].p) - expected[pair.target]) < tolerance, "\(name): \(item)")
                // A patch without effect would pass wherever none is expected; elsewhere it must have one.
                let base = item.direction == .restore ? corrupted : clean
                if !item.noop { #expect(maxAbsDiff(found, base) > 1e-4, "\(name): \(item) has no effect") }
                compared += 1
            }
        }
        #expect(compared > 20, "\(name): only \(compared) cases")
    }

    @Test(arguments: Fixture.names)
    func logitsMatchTransformersInFloat32(_ name: String) throws {
        let fixture = try Fixture.load(name)
        let rig = try Rig(fixture: name)
        let wavefront = try rig.wavefront(images: 1, patches: [])
        for pair in fixture.pairs {
            let output = try wavefront.run(
                .init(clean: [pair.clean.pixels], corrupted: nil, labels: [-1]), patches: [], keepLogits: true)
            #expect(maxAbsDiff(output.cleanLogits, pair.clean.logitsFloat) < 2e-4)
        }
    }
}
