import Foundation
import Reference

/// One patch of a fixture and what transformers answers to it in float64.
public struct FixtureCase: Sendable, CustomStringConvertible {
    public enum Direction: String, Sendable, Decodable {
        /// clean activations into the corrupted pass
        case restore
        /// corrupted activations into the clean pass
        case noise
    }

    /// Index into `Fixture.pairs`
    public let pair: Int
    public let direction: Direction
    /// Patched together
    public let sites: [ReferenceSite]
    /// Patched together; empty for `embed`
    public let layers: [Int]
    /// nil for all
    public let heads: [Int]?
    /// nil for all; query rows for `pattern`
    public let tokens: [Int]?
    /// The patch cannot change the logits (make.py says why); every other one moves the target by more than 1e-3.
    public let noop: Bool
    /// [C]
    public let logits: [Double]

    public var description: String {
        let site = sites.map(\.rawValue).joined(separator: "+")
        return "pair \(pair) \(direction) \(site) layers \(layers)"
            + (heads.map { " heads \($0)" } ?? "") + (tokens.map { " tokens \($0)" } ?? "")
    }
}

/// One pass of a fixture's model over one image, as transformers computes it.
public struct FixturePass: Sendable {
    public let pixels: [Float]  // [channels, S, S]  normalised
    public let logits: [Double]  // [C]  float64 arithmetic on the saved weights
    public let logitsFloat: [Float]  // [C]  the stock model in float32
    public let hidden: [[Double]]  // L + 1 of [T, D]: the encoder's input, then the stream after each layer

    /// `pixels` in Double, for the reference
    public var pixelsDouble: [Double] { pixels.map(Double.init) }
}

/// A tiny model with images and answers from `Tests/Fixtures`; scripts/fixtures/make.py writes them.
public struct Fixture: Sendable, CustomStringConvertible {
    public struct Pair: Sendable {
        public let clean: FixturePass
        public let corrupted: FixturePass
        /// The class whose probability every effective patch moves by more than 1e-3
        public let target: Int

        /// The pass that a patch copies from, and the one it copies into.
        public func passes(_ direction: FixtureCase.Direction) -> (source: FixturePass, base: FixturePass) {
            direction == .restore ? (clean, corrupted) : (corrupted, clean)
        }
    }

    public let name: String
    /// The Hugging Face model folder
    public let directory: URL
    public let model: ReferenceModel
    public let pairs: [Pair]
    public let cases: [FixtureCase]

    public var description: String { name }

    public static let names = ["tiny", "one-head-one-layer", "gelu-new", "quick-gelu", "relu", "bf16", "f16"]

    /// Where a fixture's model folder is.
    public static func directory(_ name: String) -> URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures").appendingPathComponent(name)
    }

    public static func load(_ name: String) throws -> Fixture {
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
