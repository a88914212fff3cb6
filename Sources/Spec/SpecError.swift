/// What is wrong with a sweep's options or with the file that spells them out; one sentence that starts with the
/// option (`--limit 0: ...`) or with file and line (`sweep.yaml:3: ...`).
package struct SpecError: Error, Equatable, CustomStringConvertible {
    package var description: String
    init(_ description: String) { self.description = description }
}
