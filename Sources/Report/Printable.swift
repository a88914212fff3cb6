/// A name from a file, a model or a command line as one line that is safe on a terminal: control characters and those
/// that change the writing direction become escapes, `\\n` or `\\u{1B}`. Everything else stays.
package func printable(_ text: String) -> String { shown(text.unicodeScalars, keeps: { _ in 0 }) }

/// The same for a text of several lines.
/// - Parameter colours: keep colour codes (SGR) and the progress bar's (carriage return, erase line)
package func printableLines(_ text: String, colours: Bool) -> String {
    let scalars = Array(text.unicodeScalars)
    return shown(scalars[...]) { rest in
        if rest.first == "\n" { return 1 }
        guard colours else { return 0 }
        if rest.first == "\r" { return 1 }
        guard rest.starts(with: ["\u{1B}", "["]) else { return 0 }
        let end = rest.dropFirst(2).firstIndex { !("0"..."9" ~= $0 || $0 == ";") } ?? rest.endIndex
        return end < rest.endIndex && (rest[end] == "m" || rest[end] == "K") ? end - rest.startIndex + 1 : 0
    }
}

/// - Parameter keeps: how many scalars at the front of the rest, which begins with a special one, stay as they are
private func shown<Scalars: Collection<Unicode.Scalar>>(
    _ text: Scalars, keeps: (Scalars.SubSequence) -> Int
) -> String {
    var result = String.UnicodeScalarView(), at = text.startIndex
    while at < text.endIndex {
        let scalar = text[at]
        guard isSpecial(scalar) else {
            result.append(scalar)
            at = text.index(after: at)
            continue
        }
        let end = text.index(at, offsetBy: keeps(text[at...]))
        result.append(contentsOf: text[at..<end])
        if end == at {
            result.append(contentsOf: escape(scalar).unicodeScalars)
            at = text.index(after: at)
        } else {
            at = end
        }
    }
    return String(result)
}

private func isSpecial(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0: true
    // Marks and overrides of the writing direction, line and paragraph separators
    case 0x61C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
    default: false
    }
}

private func escape(_ scalar: Unicode.Scalar) -> String {
    switch scalar {
    case "\n": "\\n"
    case "\r": "\\r"
    case "\t": "\\t"
    default: "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
    }
}
