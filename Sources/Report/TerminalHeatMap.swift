/// Cells of a heat map on a terminal: numbers on the report's colours, orange through dark to blue with zero in the
/// middle. Where the terminal has no such colours a shade, of as many steps as there are characters for, stands before
/// the number.
struct TerminalHeatMap {
    let terminal: TerminalText
    /// The size of the effect that has the last colour
    let limit: Double

    private static let shades = [" ", "░", "▒", "▓", "█"]

    /// Whether cells have colours of their own
    private var isFilled: Bool { terminal.colour == .palette || terminal.colour == .full }

    /// - Parameters:
    ///   - text: at least one column narrower than `width`
    ///   - isSoft: it says little, as its interval covers 0
    func cell(_ text: String, _ value: Double, width: Int, isSoft: Bool, isBold: Bool) -> String {
        guard isFilled else {
            let text = paddedLeft(value.isFinite ? shade(value) + text : text, width)
            if isBold { return terminal.bold(text) }
            return isSoft ? terminal.dim(text) : value < 0 ? terminal.negative(text) : terminal.positive(text)
        }
        guard let ground = Self.colours[FigureStyle.colourClass(value, limit: limit)] else { return paddedLeft(text, width) }
        let ink = Oklab.lab(ground)[0] > 0.65 ? "#101214" : "#ffffff"
        let colours = [code(isSoft ? Oklab.mix([ground, ink], at: 0.6) : ink, 38), code(ground, 48)]
        return terminal.coded(paddedLeft(text, width), ((isBold ? ["1"] : []) + colours).joined(separator: ";"))
    }

    private func shade(_ value: Double) -> String {
        let last = Double(Self.shades.count - 1)
        return limit > 0 ? Self.shades[Int((min(1, abs(value) / limit) * last).rounded())] : Self.shades[0]
    }

    /// What the colours or shades stand for, in one line.
    func legend(digits: Int) -> String {
        guard isFilled else {
            let steps = Self.shades.enumerated().dropFirst().map { step, shade in
                "\(shade) \(fixed(limit * Double(step) / Double(Self.shades.count - 1), digits))"
            }
            return "about " + steps.joined(separator: "  ") + ", of either sign"
        }
        let cells = (-16...16).map { step -> String in
            let ground = Self.colours[FigureStyle.colourClass(Double(step), limit: 16)] ?? "#000000"
            return terminal.coded(" ", code(ground, 48))
        }
        return "\(signed(-limit, digits)) \(cells.joined()) \(signed(limit, digits))"
    }

    /// The report's colours for a dark page, by class: its middle is between a dark and a light terminal's ground.
    private static let colours = Dictionary(
        FigureStyle.diverging(.dark).map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })

    // MARK: Colour codes

    /// - Parameter layer: 38, the text's colour, or 48, the ground's
    private func code(_ hex: String, _ layer: Int) -> String {
        if terminal.colour == .palette { return "\(layer);5;\(Self.nearest(hex))" }
        let value = UInt32(hex.dropFirst(), radix: 16) ?? 0
        return "\(layer);2;" + [16, 8, 0].map { "\(value >> UInt32($0) & 255)" }.joined(separator: ";")
    }

    /// The colours that 256-colour terminals have beside the theme's own 16: a cube of 6 x 6 x 6, and grays.
    private static let palette: [(index: Int, lab: [Double])] = {
        func hex(_ red: Int, _ green: Int, _ blue: Int) -> String {
            let text = String(red << 16 | green << 8 | blue, radix: 16)
            return "#" + String(repeating: "0", count: 6 - text.count) + text
        }
        let levels = [0, 95, 135, 175, 215, 255]
        let cube = (0..<216).map { hex(levels[$0 / 36], levels[$0 / 6 % 6], levels[$0 % 6]) }
        let grays = (0..<24).map { hex(8 + 10 * $0, 8 + 10 * $0, 8 + 10 * $0) }
        return (cube + grays).enumerated().map { (16 + $0, Oklab.lab($1)) }
    }()

    private static func nearest(_ hex: String) -> Int {
        let lab = Oklab.lab(hex)
        func distance(_ other: [Double]) -> Double { zip(lab, other).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } }
        return palette.min { distance($0.lab) < distance($1.lab) }?.index ?? 16
    }
}
