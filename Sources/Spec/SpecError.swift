/// An error in a sweep's options: one sentence that starts with the option (`--limit 0: ...`), or with the spec file
/// and its line (`sweep.yaml:3: ...`).
package struct SpecError: Error, Equatable, CustomStringConvertible {
    /// Where the value at fault was given
    package enum Origin: Sendable { case commandLine, file }

    package var origin: Origin
    package var description: String

    package init(_ description: String, origin: Origin = .file) {
        (self.description, self.origin) = (description, origin)
    }
}
