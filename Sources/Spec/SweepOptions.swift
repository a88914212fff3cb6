import Patch

/// A value as it was written, with its place for messages.
struct Written: Sendable {
    var text: String
    /// `sweep.yaml:3: `, empty for a flag
    var place = ""
    /// `--layers` or `layers`
    var name: String

    /// `--layers`, or `sweep.yaml:3: layers`
    var label: String { place + name }

    /// `--layers 9: ...`
    func fail(_ what: String) -> SpecError { failure("\(name) \(text): \(what)") }

    /// - Parameter sentence: whole, except for the place
    func failure(_ sentence: String) -> SpecError {
        SpecError(place + sentence, origin: place.isEmpty ? .commandLine : .file)
    }

    func parsed<Value>(_ parse: (String) throws(ListError) -> Value) throws(SpecError) -> Value {
        do { return try parse(text) } catch { throw fail("\(error)") }
    }
}

/// A patch spelled out in a spec file.
struct WrittenPatch: Sendable {
    struct Part: Sendable {
        var site: Site
        /// Items of one set, all together; nil: not given
        var layers: [Written]?, heads: [Written]?, tokens: [Written]?, neurons: [Written]?
    }

    var name: String
    /// nil: every direction of the sweep
    var direction: Direction?
    var parts: [Part]
}

/// The options of a sweep that were given, by flags or by a spec file, unchecked.
package struct SweepOptions: Sendable {
    var values: [SweepKey: [Written]] = [:]
    /// Further sites, each with its values of `SweepKey.ofPlaces`
    var places: [[SweepKey: [Written]]] = []
    var patches: [WrittenPatch] = []

    package init() {}

    /// Sets a flag's values; none: not given.
    package mutating func set(flag key: SweepKey, _ texts: [String]) {
        values[key] = texts.isEmpty ? nil : texts.map { Written(text: $0, name: key.flag) }
    }

    /// Sets `--ablate`, short for `--direction noise --patch-with WITH`.
    package mutating func set(ablate text: String?) throws(SpecError) {
        guard let text else { return }
        let written = Written(text: text, name: "--ablate")
        guard PatchWith.ablations.map(\.rawValue).contains(text) else {
            throw written.failure(
                "--ablate \(text) is unknown; valid are "
                    + PatchWith.ablations.map(\.rawValue).joined(separator: ", "))
        }
        for key in [SweepKey.direction, .patchWith] where values[key] != nil {
            throw written.fail(
                "it stands for --direction noise --patch-with \(text), so \(key.flag) does not go with it")
        }
        set(flag: .direction, [Direction.noising.rawValue])
        set(flag: .patchWith, [text])
    }

    /// These options, with the values of `flags` for every key that it gives; its places and patches are appended.
    package func overridden(by flags: SweepOptions) -> SweepOptions {
        var both = self
        both.values.merge(flags.values) { $1 }
        both.places += flags.places
        both.patches += flags.patches
        return both
    }

    /// The values of a key, or else its defaults; nil if there are neither. Beside further sites or patches spelled
    /// out, the default of `site` is none.
    func written(_ key: SweepKey) -> [Written]? {
        if values[key] == nil, key == .site, !patches.isEmpty || !places.isEmpty { return [] }
        return Self.written(key, values)
    }

    static func written(_ key: SweepKey, _ values: [SweepKey: [Written]]) -> [Written]? {
        if let given = values[key] { return given }
        return key.defaults?.map { Written(text: $0, name: key.flag) }
    }
}
