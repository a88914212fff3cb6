import Foundation

/// Colours and the style sheet of figures. Series colours are Okabe and Ito's (Color Universal Design, 2008), which
/// colour-blind readers tell apart; signed values go from orange through the page's own shade to blue.
enum FigureStyle {
    enum Theme: CaseIterable { case light, dark }

    /// Colour classes per sign: `n32` ... `n1`, `z`, `p1` ... `p32`; `m` and `g` for estimates
    static let steps = 32

    /// The class of `value` on a scale from -limit to limit.
    ///
    /// - Parameter isEstimate: whether `value` is an estimate, which has its own colours
    static func colourClass(_ value: Double, limit: Double, isEstimate: Bool = false) -> String {
        guard value.isFinite, limit > 0 else { return value.isFinite ? "z" : "none" }
        let step = Int((min(1, abs(value) / limit) * Double(steps)).rounded())
        if step == 0 { return "z" }
        return (isEstimate ? value < 0 ? "m" : "g" : value < 0 ? "n" : "p") + "\(step)"
    }

    /// Names and values of the colours that figures and page use.
    static func variables(_ theme: Theme) -> [(name: String, value: String)] {
        switch theme {
        case .light:
            [
                ("paper", "#ffffff"), ("ink", "#1c1d1f"), ("soft", "#5d6166"), ("rule", "#d9dadc"),
                ("faint", "#f3f3f1"), ("s0", "#0072b2"), ("s1", "#d55e00"), ("s2", "#00845f"), ("s3", "#a8518a"),
                ("s4", "#8a6d00"), ("s5", "#3a8fc4"), ("none", "#e9e9e9"),
            ]
        case .dark:
            [
                ("paper", "#16181b"), ("ink", "#e8e6e1"), ("soft", "#a2a5aa"), ("rule", "#3a3d42"),
                ("faint", "#202328"), ("s0", "#5ab4ec"), ("s1", "#ff8f4f"), ("s2", "#3fcb9f"), ("s3", "#e79ccb"),
                ("s4", "#e8c04a"), ("s5", "#9bd3f5"), ("none", "#2b2e33"),
            ]
        }
    }

    static func diverging(_ theme: Theme) -> [(name: String, value: String)] {
        // Effects go from orange to blue, estimates from purple to green.
        let (middle, orange, blue, purple, green): (String, [String], [String], [String], [String]) =
            switch theme {
            case .light:
                (
                    "#f6f6f4", ["#f0a350", "#8f3d00"], ["#69a8d8", "#0a3f86"], ["#b391d2", "#4c1a73"],
                    ["#7cba78", "#0a5222"]
                )
            case .dark:
                (
                    "#25282d", ["#b4601a", "#ffc98a"], ["#2a72b8", "#a9dcff"], ["#7e4fa6", "#e3c8f7"],
                    ["#2f7d3a", "#b7ecb4"]
                )
            }
        var colours = [("z", middle)]
        for step in 1...steps {
            let t = Double(step) / Double(steps)
            colours.append(("n\(step)", Oklab.mix([middle] + orange, at: t)))
            colours.append(("p\(step)", Oklab.mix([middle] + blue, at: t)))
            colours.append(("m\(step)", Oklab.mix([middle] + purple, at: t)))
            colours.append(("g\(step)", Oklab.mix([middle] + green, at: t)))
        }
        return colours.map { (name: $0.0, value: $0.1) }
    }

    /// The style of shapes, in terms of the variables.
    private static let rules = """
        text{font:11px system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;fill:var(--ink)}
        .tick{fill:var(--soft);font-size:10.5px}.axis{fill:var(--soft);font-size:11px}
        .head{font-size:12px;font-weight:600}.big{font-size:15px;font-weight:600}
        .grid{stroke:var(--rule);stroke-width:.6;fill:none}.zero{stroke:var(--soft);stroke-width:.9;fill:none}
        .ref{stroke:var(--soft);stroke-width:1.1;stroke-dasharray:4 3;fill:none}
        .ref2{stroke:var(--soft);stroke-width:1.1;stroke-dasharray:1 3;fill:none}
        .frame{stroke:var(--rule);stroke-width:.8;fill:none}.sig{fill:var(--ink);stroke:var(--paper);stroke-width:.7}
        .none{fill:var(--none)}.hit{fill:transparent;stroke:none}
        """

    private static var seriesRules: String {
        (0..<6).map { s in
            """
            .l\(s){stroke:var(--s\(s));stroke-width:1.7;fill:none;stroke-linejoin:round}
            .e\(s){stroke:var(--s\(s));stroke-width:1.3;fill:none}
            .h\(s){stroke:var(--s\(s));stroke-width:1.7;stroke-dasharray:5 3;fill:none;stroke-linejoin:round}
            .b\(s){fill:var(--s\(s));fill-opacity:.17;stroke:none}.d\(s){fill:var(--s\(s));stroke:none}
            .o\(s){fill:var(--paper);stroke:var(--s\(s));stroke-width:1.3}
            """
        }.joined(separator: "\n")
    }

    private static func colours(_ theme: Theme, scope: String) -> String {
        diverging(theme).map { "\(scope).\($0.name){fill:\($0.value)}" }.joined()
    }

    private static func definitions(_ theme: Theme) -> String {
        variables(theme).map { "--\($0.name):\($0.value);" }.joined()
    }

    /// For a page: follows the system's theme unless `data-theme` on the root sets another.
    static var pageSheet: String {
        """
        :root{\(definitions(.light))color-scheme:light}
        \(colours(.light, scope: ""))
        @media(prefers-color-scheme:dark){:root:not([data-theme=light]){\(definitions(.dark))color-scheme:dark}
        \(colours(.dark, scope: ":root:not([data-theme=light]) "))}
        :root[data-theme=dark]{\(definitions(.dark))color-scheme:dark}
        \(colours(.dark, scope: ":root[data-theme=dark] "))
        \(rules)
        \(seriesRules)
        """
    }

    /// For a file: the light theme, without CSS variables, which not every SVG program supports.
    static let fileSheet: String = {
        var sheet = colours(.light, scope: "") + rules + seriesRules
        for (name, value) in variables(.light) { sheet = sheet.replacing("var(--\(name))", with: value) }
        return sheet.replacing("\n", with: "") + ".page{fill:#ffffff}"
    }()
}

/// Mixing colours in Oklab (Björn Ottosson, A perceptual color space for image processing, 2020), where equal steps
/// look equal.
enum Oklab {
    /// The colour at `t` in 0...1 along `stops`, which are evenly spaced; `#rrggbb`.
    static func mix(_ stops: [String], at t: Double) -> String {
        guard let last = stops.last, stops.count > 1 else { return stops.first ?? "#000000" }
        let position = max(0, min(1, t)) * Double(stops.count - 1)
        let index = Int(position)
        guard index < stops.count - 1 else { return last }
        let f = position - Double(index)
        let a = lab(stops[index]), b = lab(stops[index + 1])
        return hex(zip(a, b).map { $0 + f * ($1 - $0) })
    }

    static func lab(_ hex: String) -> [Double] {
        let value = UInt32(hex.dropFirst(), radix: 16) ?? 0
        let rgb = [16, 8, 0].map { shift -> Double in
            let c = Double(value >> UInt32(shift) & 255) / 255
            return c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4)
        }
        let (r, g, b) = (rgb[0], rgb[1], rgb[2])
        let l = cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
        let m = cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
        let s = cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
        return [
            0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
            1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
            0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s,
        ]
    }

    private static func hex(_ lab: [Double]) -> String {
        let l = pow(lab[0] + 0.3963377774 * lab[1] + 0.2158037573 * lab[2], 3)
        let m = pow(lab[0] - 0.1055613458 * lab[1] - 0.0638541728 * lab[2], 3)
        let s = pow(lab[0] - 0.0894841775 * lab[1] - 1.2914855480 * lab[2], 3)
        let rgb = [
            4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
            -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
            -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s,
        ]
        let bytes = rgb.map { c -> UInt32 in
            let gamma = c <= 0.0031308 ? 12.92 * c : 1.055 * pow(c, 1 / 2.4) - 0.055
            return UInt32(max(0, min(255, (gamma * 255).rounded())))
        }
        let text = String(bytes[0] << 16 | bytes[1] << 8 | bytes[2], radix: 16)
        return "#" + String(repeating: "0", count: 6 - text.count) + text
    }
}
