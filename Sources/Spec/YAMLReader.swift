import Foundation
import Yams

/// A YAML document's values with their lines.
///
/// Aliases are resolved here and not by Yams, so that a small file cannot expand to a huge document: another character
/// replaces `*`, so Yams reads every alias as plain text.
struct YAMLReader {
    static let maxBytes = 1 << 20
    /// The most values read; a value behind aliases counts at every use. Files without aliases stay far below
    static let maxLooks = 1_000_000
    static let maxTextLength = 100_000
    /// Stands for `*`; from Unicode's private use area
    private static let star: Unicode.Scalar = "\u{E000}"

    /// A value and its line (from 1); for a value behind an alias, the alias's line.
    struct Value {
        var node: Node
        var line: Int
    }

    /// The file's name in messages
    let name: String
    private var anchors: [String: Node] = [:]
    private var left = Self.maxLooks

    /// - Returns: the reader and the document's root
    static func open(_ text: String, name: String) throws(SpecError) -> (reader: YAMLReader, root: Value) {
        if text.unicodeScalars.contains(star) {
            throw SpecError("\(name): the character U+E000 is not allowed in a spec")
        }
        let parser: Parser, root: Node?
        do {
            parser = try Parser(
                yaml: text.replacingOccurrences(of: "*", with: String(star)), resolver: .basic, encoding: .utf8)
            root = try parser.singleRoot()
        } catch { throw sentence(error, name: name) }
        guard let node = root else {
            throw SpecError("\(name): the file is empty; expected a mapping such as \"site: z\"")
        }
        var reader = YAMLReader(name: name)
        // Nodes hold their anchors weakly, the parser strongly.
        try withExtendedLifetime(parser) { () throws(SpecError) in try reader.collectAnchors(node) }
        return (reader, Value(node: node, line: line(node)))
    }

    private init(name: String) { self.name = name }

    func fail(_ line: Int, _ message: String) -> SpecError { SpecError("\(name):\(line): \(message)") }

    // MARK: Kinds of value

    /// nil for null (`null`, `~` or nothing), and for a mapping or a list
    mutating func scalar(_ value: Value) throws(SpecError) -> (text: String, isPlain: Bool, line: Int)? {
        let value = try resolve(value)
        guard case .scalar(let scalar) = value.node else { return nil }
        let text = Self.restored(scalar.string), isPlain = scalar.style == .plain
        if isPlain, ["", "~", "null", "Null", "NULL"].contains(text) { return nil }
        if text.count > Self.maxTextLength {
            throw fail(value.line, "a text of \(text.count) characters is too long; the limit is \(Self.maxTextLength)")
        }
        if text.unicodeScalars.contains(where: { $0.value < 0x20 || 0x7F...0x9F ~= $0.value }) {
            throw fail(value.line, "a text has a control character in it")
        }
        return (text, isPlain, value.line)
    }

    mutating func isNull(_ value: Value) throws(SpecError) -> Bool {
        guard case .scalar = try resolve(value).node else { return false }
        return try scalar(value) == nil
    }

    /// nil if it is no list
    mutating func list(_ value: Value) throws(SpecError) -> [Value]? {
        let value = try resolve(value)
        guard case .sequence(let nodes) = value.node else { return nil }
        return nodes.map { Value(node: $0, line: Self.line($0)) }
    }

    /// The values of a mapping by key, without those that are null.
    /// - Parameter owner: for the message about an unknown key
    mutating func mapping(
        _ value: Value, keys: [String], owner: String, elsewhere: Set<String> = []
    ) throws(SpecError) -> [String: Value] {
        let value = try resolve(value)
        guard case .mapping(let pairs) = value.node else {
            let found = try found(value)
            throw fail(
                value.line, "\(owner) is a mapping with the keys \(keys.joined(separator: ", ")); found \(found)")
        }
        var values: [String: Value] = [:]
        for (keyNode, node) in pairs {
            let line = Self.line(keyNode)
            guard let key = try scalar(Value(node: keyNode, line: line))?.text, keys.contains(key) else {
                throw unknown(keyNode, line: line, keys: keys, owner: owner, elsewhere: elsewhere)
            }
            let value = Value(node: node, line: Self.line(node))
            if try !isNull(value) { values[key] = value }
        }
        return values
    }

    /// A description of a value, for "expected ..., found ..."
    mutating func found(_ value: Value) throws(SpecError) -> String {
        switch try resolve(value).node {
        case .mapping: "a mapping"
        case .sequence: "a list"
        default: try scalar(value).map { "\"\($0.text.prefix(60))\"" } ?? "nothing"
        }
    }

    // MARK: -

    private func unknown(
        _ key: Node, line: Int, keys: [String], owner: String, elsewhere: Set<String>
    ) -> SpecError {
        guard case .scalar(let scalar) = key else { return fail(line, "\(owner) has a key that is not text") }
        let text = String(Self.restored(scalar.string).prefix(60))
        if elsewhere.contains(text) {
            return fail(line, "\"\(text)\" does not belong in a spec; give --\(text) on the command line")
        }
        let hint =
            nearest(to: text, in: keys).map { "did you mean \"\($0)\"?" } ?? "valid are \(keys.joined(separator: ", "))"
        return fail(line, "\(owner) has the unknown key \"\(text)\"; \(hint)")
    }

    /// Resolves an alias, and counts values against `maxLooks`.
    private mutating func resolve(_ value: Value) throws(SpecError) -> Value {
        left -= 1
        guard left > 0 else {
            throw fail(value.line, "the spec is too large, counting what its aliases stand for")
        }
        guard case .scalar(let scalar) = value.node, scalar.style == .plain,
            scalar.string.unicodeScalars.first == Self.star
        else { return value }
        let name = String(Self.restored(scalar.string).dropFirst())
        guard let node = anchors[name] else {
            throw fail(value.line, "*\(name.prefix(60)) is an alias without an anchor")
        }
        return Value(node: node, line: value.line)
    }

    private mutating func collectAnchors(_ node: Node) throws(SpecError) {
        if let anchor = node.anchor?.rawValue, anchors.updateValue(node, forKey: anchor) != nil {
            throw fail(Self.line(node), "the anchor &\(anchor.prefix(60)) appears twice")
        }
        switch node {
        case .mapping(let pairs):
            for (key, value) in pairs {
                try collectAnchors(key)
                try collectAnchors(value)
            }
        case .sequence(let nodes): for node in nodes { try collectAnchors(node) }
        default: break
        }
    }

    private static func line(_ node: Node) -> Int { node.mark?.line ?? 1 }

    private static func restored(_ text: String) -> String {
        text.unicodeScalars.contains(star) ? text.replacingOccurrences(of: String(star), with: "*") : text
    }

    private static func sentence(_ error: any Error, name: String) -> SpecError {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            if problem.hasPrefix("Maximum nesting") {
                return SpecError("\(name):\(mark.line): the file is nested too deep")
            }
            return SpecError("\(name):\(mark.line): this is not YAML: \(restored(problem))")
        case .duplicatedKeysInMapping(let keys, let context):
            let key = restored(keys.first ?? "").prefix(60)
            return SpecError("\(name):\(context.mark.line): the key \"\(key)\" appears twice")
        case .reader(let problem, let offset, _, let yaml):
            let line = yaml.prefix(offset ?? 0).count { $0.isNewline } + 1
            return SpecError("\(name):\(line): this is not YAML: \(problem)")
        case .memory: return SpecError("\(name): the file is nested too deep")
        default: return SpecError("\(name): this is not YAML")
        }
    }
}

/// The nearest word by edit distance (insertions, deletions, substitutions), if it is near enough.
func nearest(to text: String, in words: [String]) -> String? {
    func distance(_ a: [Character], _ b: [Character]) -> Int {
        var row = Array(0...b.count)
        for i in a.indices {
            var diagonal = row[0]
            row[0] = i + 1
            for j in b.indices {
                let substituted = diagonal + (a[i] == b[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(substituted, row[j] + 1, diagonal + 1)
            }
        }
        return row[b.count]
    }
    let typed = Array(text.lowercased())
    let ranked = words.map { (word: $0, distance: distance(typed, Array($0))) }
    guard let best = ranked.min(by: { $0.distance < $1.distance }), best.distance <= max(1, best.word.count / 3) else {
        return nil
    }
    return best.word
}
