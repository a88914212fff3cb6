import Files
import Foundation
import Report

/// The terminal's abilities, and output to it.
enum Terminal {
    /// Whether colour and moving lines may be used: only on a terminal, and not with NO_COLOR (no-color.org) or
    /// TERM=dumb.
    static func isRich(_ stream: Int32) -> Bool {
        let environment = ProcessInfo.processInfo.environment
        return isatty(stream) != 0 && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
    }

    /// The colours of standard output: none where `isRich` is false, else by COLORTERM and TERM.
    static var colour: TerminalColour {
        guard isRich(STDOUT_FILENO) else { return .none }
        let environment = ProcessInfo.processInfo.environment
        if ["truecolor", "24bit"].contains(environment["COLORTERM"]) { return .full }
        return environment["TERM"]?.contains("256color") == true ? .palette : .basic
    }

    /// Columns of the terminal on standard output; 80 elsewhere.
    static var width: Int {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    static func standardError(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data(shown(text, on: STDERR_FILENO).utf8))
    }

    /// Ends the program if the text cannot be written, e.g. to a full disk.
    static func standardOutput(_ text: String) {
        do {
            let output = try AtomicFile(nil)
            try output.write(shown(text, on: STDOUT_FILENO))
            try output.close()
        } catch {
            Terminal.error("\(error)")
            exit(1)
        }
    }

    static func warning(_ text: String) { message("Warning: \(printable(text))") }

    /// One line, except for a compiler's log.
    static func error(_ text: String, isLog: Bool = false) {
        message("Error: \(isLog ? printableLines(text, colours: false) : printable(text))")
    }

    /// A message on progress; only on a terminal.
    static func note(_ text: String) { if isatty(STDERR_FILENO) != 0 { message(printable(text)) } }

    private static func message(_ line: String) {
        let text = (isRich(STDERR_FILENO) ? "\r\u{1B}[K" : "") + line + "\n"
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }

    /// Files get texts as they are; a terminal gets no control characters but line ends and our own colours.
    private static func shown(_ text: String, on stream: Int32) -> String {
        isatty(stream) == 0 ? text : printableLines(text, colours: isRich(stream))
    }
}
