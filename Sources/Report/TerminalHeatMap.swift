/// Cells of a heat map on a terminal: numbers on the report's colours, from orange through dark at zero to blue. On a
/// terminal with fewer than 256 colours, a shade before the number shows its size instead.
struct TerminalHeatMap {
    let terminal: TerminalText
    /// The absolute effect at the ends of the colour scale
    let limit: Double

    private static let shades = [" ", "░", "▒", "▓", "█"]

    /// Whether cells have background colours
    private var isFilled: Bool { terminal.colour == .palette || terminal.colour == .full }

    /// - Parameters:
    ///   - text: at least one column narrower than `width`
    ///   - isSoft: whether the interval covers 0, which dims the number
    func cell(_ text: String, _ value: Double, width: Int, isSoft: Bool, isBold: Bool) -> String {
        guard isFilled else {
            let text = paddedLeft(value.isFinite ? shade(value) + text : text, width)
            if isBold { return terminal.bold(text) }
            return isSoft ? terminal.dim(text) : value < 0 ? terminal.negative(text) : terminal.positive(text)
        }
        guard let ground = ground(limit > 0 ? value / limit : value) else { return paddedLeft(text, width) }
        let isLight = Oklab.lab(ground.hex)[0] > 0.65
        var ink = isLight ? Colour(hex: "#101214", index: 233) : Colour(hex: "#ffffff", index: 231)
        if isSoft {
            ink = Colour(hex: Oklab.mix([ground.hex, ink.hex], at: isLight ? 0.85 : 0.7), index: isLight ? 235 : 250)
        }
        let codes = (isBold ? ["1"] : []) + [code(ink, 38), code(ground, 48)]
        return terminal.coded(paddedLeft(text, width), codes.joined(separator: ";"))
    }

    private func shade(_ value: Double) -> String {
        let last = Double(Self.shades.count - 1)
        return limit > 0 ? Self.shades[Int((min(1, abs(value) / limit) * last).rounded())] : Self.shades[0]
    }

    /// The scale of colours or shades, in one line.
    func legend(digits: Int) -> String {
        guard isFilled else {
            let steps = Self.shades.enumerated().dropFirst().map { step, shade in
                "\(shade) \(fixed(limit * Double(step) / Double(Self.shades.count - 1), digits))"
            }
            return "about " + steps.joined(separator: "  ") + ", of either sign"
        }
        let cells = (-16...16).map { step in
            ground(Double(step) / 16).map { terminal.coded(" ", code($0, 48)) } ?? " "
        }
        return "\(signed(-limit, digits)) \(cells.joined()) \(signed(limit, digits))"
    }

    // MARK: Colours

    /// A colour, and its substitute among 256
    private struct Colour { var hex: String, index: Int }

    /// - Parameter share: of the limit, -1 to 1
    private func ground(_ share: Double) -> Colour? {
        guard share.isFinite, let hex = Self.colours[FigureStyle.colourClass(share, limit: 1)] else { return nil }
        let ramp = share < 0 ? Self.oranges : Self.blues
        return Colour(hex: hex, index: ramp[Int((min(1, abs(share)) * Double(ramp.count - 1)).rounded())])
    }

    /// The report's colours for a dark page, by class
    private static let colours = Dictionary(
        FigureStyle.diverging(.dark).map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })

    // Substitutes among 256 colours, few of which are so dark; each is lighter than the one before it.
    private static let oranges = [235, 237, 94, 130, 172, 215, 222]
    private static let blues = [235, 237, 24, 25, 32, 75, 153]

    /// - Parameter layer: 38 for the text's colour, 48 for the background's
    private func code(_ colour: Colour, _ layer: Int) -> String {
        if terminal.colour == .palette { return "\(layer);5;\(colour.index)" }
        let value = UInt32(colour.hex.dropFirst(), radix: 16) ?? 0
        return "\(layer);2;" + [16, 8, 0].map { "\(value >> UInt32($0) & 255)" }.joined(separator: ";")
    }
}
