import Foundation
import Report
import Results

/// What the terminal can do, and writing to it.
enum Terminal {
    /// Colour and moving lines: only on a terminal, and not where NO_COLOR asks for none (no-color.org).
    static func isRich(_ stream: Int32) -> Bool {
        let environment = ProcessInfo.processInfo.environment
        return isatty(stream) != 0 && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
    }

    /// The colours of standard output: none where it is no terminal, or NO_COLOR asks for none; else what COLORTERM and
    /// TERM say.
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

    /// Ends the program where the text cannot be written: the disk is full, say.
    static func standardOutput(_ text: String) {
        do {
            try OutputFile(nil).write(Array(shown(text, on: STDOUT_FILENO).utf8))
        } catch {
            Terminal.error("\(error)")
            exit(1)
        }
    }

    static func warning(_ text: String) { message("Warning: \(printable(text))") }

    /// One line, but for a compiler's log.
    static func error(_ text: String, isLog: Bool = false) {
        message("Error: \(isLog ? printableLines(text, colours: false) : printable(text))")
    }

    /// What is going on, for somebody who waits: on a terminal alone.
    static func note(_ text: String) { if isRich(STDERR_FILENO) { message(printable(text)) } }

    private static func message(_ line: String) {
        let text = (isRich(STDERR_FILENO) ? "\r\u{1B}[K" : "") + line + "\n"
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }

    /// Files get texts as they are; a terminal gets no control characters but line ends and our own colours.
    private static func shown(_ text: String, on stream: Int32) -> String {
        isatty(stream) == 0 ? text : printableLines(text, colours: isRich(stream))
    }
}
