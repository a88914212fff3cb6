import Report
import StoreTestSupport
import Testing

struct PrintableTests {
    @Test(arguments: [
        ("plain é 猫 🐈", "plain é 猫 🐈"), ("a\nb\tc\r", "a\\nb\\tc\\r"), ("\u{1B}]0;x\u{7}", "\\u{1B}]0;x\\u{7}"),
        ("\u{9B}31m", "\\u{9B}31m"), ("a\u{202E}b", "a\\u{202E}b"), ("\u{2028}", "\\u{2028}"),
        ("\u{1B}[31m", "\\u{1B}[31m"),
        ("\u{0}\u{7F}", "\\u{0}\\u{7F}"), ("a\r\nb", "a\\r\\nb"), ("", ""),
    ])
    func aNameIsOneLine(_ text: String, _ shown: String) { #expect(printable(text) == shown) }

    /// Our own colours and lines are kept; other escape sequences are not.
    @Test func linesAndColours() {
        let own = "\u{1B}[1mbold\u{1B}[0m\n\u{1B}[38;5;33mx\u{1B}[0m\n"
        #expect(printableLines(own, colours: true) == own)
        #expect(printableLines("\r\u{1B}[K1/2\n", colours: true) == "\r\u{1B}[K1/2\n")
        #expect(printableLines(own, colours: false).contains("\u{1B}") == false)
        for text in ["\u{1B}]0;x\u{7}", "\u{1B}[2J", "\u{1B}[", "\u{1B}", "\u{1B}[1;2", "\u{1B}[1A"] {
            #expect(!printableLines("a\n" + text, colours: true).contains("\u{1B}"), "\(text.debugDescription)")
        }
    }
}
