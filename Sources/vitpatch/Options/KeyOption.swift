import ArgumentParser
import Spec

// Options that are also keys of a spec file: name, default, values and help come from `SweepKey`. Their values stay
// texts, which Spec checks, so flags and files have the same rules and messages.

extension Option where Value == String? {
    /// - Parameter absent: the default in words, if the command has its own
    init(_ key: SweepKey, absent: String? = nil, note: String? = nil) {
        self.init(name: .customLong(key.rawValue), help: key.help(absent, note), completion: key.completion)
    }
}

extension Option where Value == [String] {
    init(wrappedValue: [String], _ key: SweepKey, absent: String? = nil, note: String? = nil) {
        self.init(
            wrappedValue: wrappedValue, name: .customLong(key.rawValue),
            help: key.help(absent, note ?? "repeatable, each value once"),
            completion: key.completion)
    }
}

extension SweepKey {
    fileprivate func help(_ absent: String?, _ note: String?) -> ArgumentHelp {
        // A text that begins with a value keeps its spelling.
        let beginsWithValue = !values.isEmpty || meaning.contains(" | ")
        let first = beginsWithValue ? String(meaning.prefix(1)) : meaning.prefix(1).uppercased()
        let meaning = first + meaning.dropFirst() + (note.map { "; \($0)" } ?? "")
        return ArgumentHelp("\(meaning) (default: \(absent ?? self.absent)).", valueName: placeholder)
    }

    fileprivate var completion: CompletionKind {
        if kind == .folder { return .directory }
        return values.isEmpty ? .default : .list(values)
    }
}

/// Help for a choice, `a | b | c`.
func oneOf<Value: Choice>(_: Value.Type) -> String { Value.spellings.joined(separator: " | ") }

extension CompletionKind {
    static func choices<Value: Choice>(_: Value.Type) -> CompletionKind { .list(Value.spellings) }
}

/// The value that an option's text names.
func choice<Value: Choice>(_ option: String, _ text: String, _: Value.Type) throws -> Value {
    guard let value = Value(spelled: text) else {
        throw UsageError("\(option) \(text) is unknown; valid are \(Value.spellings.joined(separator: ", "))")
    }
    return value
}
