import Foundation
import Reference

/// One patch of a fixture and transformers' float64 logits for it.
package struct FixtureCase: Sendable, CustomStringConvertible {
    package enum Direction: String, Sendable, Decodable {
        /// clean activations into the corrupted pass
        case restore
        /// corrupted activations into the clean pass
        case noising = "noise"
    }

    /// Index into `Fixture.pairs`
    package let pair: Int
    package let direction: Direction
    /// Patched together
    package let sites: [ReferenceSite]
    /// Patched together; empty for `embed`
    package let layers: [Int]
    /// nil for all
    package let heads: [Int]?
    /// nil for all; query rows for `pattern`
    package let tokens: [Int]?
    /// The patch cannot change the logits (reasons in make.py); every other one moves the target by more than 1e-3.
    package let noop: Bool
    /// [C]
    package let logits: [Double]

    package var description: String {
        let site = sites.map(\.rawValue).joined(separator: "+")
        return "pair \(pair) \(direction) \(site) layers \(layers)"
            + (heads.map { " heads \($0)" } ?? "") + (tokens.map { " tokens \($0)" } ?? "")
    }
}

/// One pass of a fixture's model over one image, as computed by transformers.
package struct FixturePass: Sendable {
    package let pixels: [Float]  // [channels, S, S]  normalised
    package let logits: [Double]  // [C]  float64 arithmetic on the saved weights
    package let logitsFloat: [Float]  // [C]  the stock model in float32
    package let hidden: [[Double]]  // L + 1 of [T, D]: the encoder's input, then the stream after each layer

    /// `pixels` in Double, for the reference
    package var pixelsDouble: [Double] { pixels.map(Double.init) }
}

/// A tiny model with images and expected outputs from `Tests/Fixtures`, written by scripts/fixtures/make.py.
package struct Fixture: Sendable, CustomStringConvertible {
    package struct Pair: Sendable {
        package let clean: FixturePass
        package let corrupted: FixturePass
        /// The class whose probability every patch with an effect moves by more than 1e-3
        package let target: Int

        /// The pass that a patch copies from, and the pass it copies into.
        package func passes(_ direction: FixtureCase.Direction) -> (source: FixturePass, base: FixturePass) {
            direction == .restore ? (clean, corrupted) : (corrupted, clean)
        }
    }

    package let name: String
    /// The Hugging Face model folder
    package let directory: URL
    package let model: ReferenceModel
    package let pairs: [Pair]
    package let cases: [FixtureCase]

    package var description: String { name }

    package static let names = ["tiny", "one-head-one-layer", "gelu-new", "quick-gelu", "relu", "bf16", "f16"]

    /// The folder of a fixture's model.
    package static func directory(_ name: String) -> URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures").appendingPathComponent(name)
    }

    package static func load(_ name: String) throws -> Fixture {
        let directory = directory(name)
        let model = try ReferenceModel.load(directory)
        let expected = try SafetensorsFile(directory.appendingPathComponent("expected.safetensors"))
        let list = try JSONDecoder().decode(
            CaseList.self, from: Data(contentsOf: directory.appendingPathComponent("cases.json")))

        let clean = try passes("clean", expected, model, count: list.targets.count)
        let corrupted = try passes("corrupted", expected, model, count: list.targets.count)
        let pairs = list.targets.indices.map {
            Pair(clean: clean[$0], corrupted: corrupted[$0], target: list.targets[$0])
        }
        let patched = split(try expected.doubles("patched.logits"), into: list.cases.count)
        let cases = zip(list.cases, patched).map { row, logits in
            FixtureCase(
                pair: row.pair, direction: row.direction, sites: row.sites.compactMap(ReferenceSite.init),
                layers: row.layers, heads: row.heads, tokens: row.tokens, noop: row.noop, logits: logits)
        }
        return Fixture(name: name, directory: directory, model: model, pairs: pairs, cases: cases)
    }

    private static func passes(
        _ prefix: String, _ file: SafetensorsFile, _ model: ReferenceModel, count: Int
    ) throws -> [FixturePass] {
        let pixels = split(try file.doubles("\(prefix).pixels"), into: count)
        let logits = split(try file.doubles("\(prefix).logits"), into: count)
        let logitsFloat = split(try file.doubles("\(prefix).logits_f32"), into: count)
        let hidden = split(try file.doubles("\(prefix).hidden"), into: count)
        return (0..<count).map {
            FixturePass(
                pixels: pixels[$0].map(Float.init), logits: logits[$0],
                logitsFloat: logitsFloat[$0].map(Float.init),
                hidden: split(hidden[$0], into: model.layers.count + 1))
        }
    }
}

private struct CaseList: Decodable {
    struct Row: Decodable {
        let pair: Int
        let direction: FixtureCase.Direction
        let sites: [String]
        let layers: [Int]
        let heads: [Int]?
        let tokens: [Int]?
        let noop: Bool
    }

    let targets: [Int]
    let cases: [Row]
}

/// `values` cut into `count` equal parts.
private func split(_ values: [Double], into count: Int) -> [[Double]] {
    let size = values.count / count
    return (0..<count).map { Array(values[$0 * size..<($0 + 1) * size]) }
}
