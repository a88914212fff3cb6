import Foundation
import Results
import Statistics

/// Single images under one corruption, with every pass's prediction of them.
struct Examples {
    struct View {
        var example: Example
        /// p of the target by patched layer
        var chart: Panel?
        /// The image's own effects by image patch, or by head
        var map: Panel?
        /// The effect at the end of the map's colour scale
        var mapLimit = 0.0
        var pictures: ExamplePictures?
    }

    /// The patch by which the images are chosen: the strongest of the first direction, among the patches compared by
    /// layer if there are any. In a map of tokens it is an image patch, as in late layers CLS has the whole effect.
    let patch: PatchStatistics
    /// The patch's group
    let group: PlaceGroup
    /// In words, the patches among which it is the strongest
    let choice: String
    let views: [View]
    /// The windows that the charts show
    let windows: [String]
    /// The maps' title; empty if there are no maps
    let mapTitle: String
    let hasLeftOutPictures: Bool
    let classNames: [String]

    /// - Parameters:
    ///   - room: bytes of the page left for pictures; those used are subtracted
    /// - Returns: nil if no patch has an effect
    init?(
        _ figures: EffectFigures, _ perImage: PerImage, _ images: ExampleImages?, classNames: [String], room: inout Int
    ) throws {
        let groups = figures.groups.filter { $0.direction == figures.groups.first?.direction }
        let byLayer = groups.filter { if case .layers = $0.shape { $0.layers.count > 1 } else { false } }
        guard let group = Self.strongest(byLayer.isEmpty ? groups : byLayer),
            let patch = group.strongestImagePatch ?? group.strongest
        else { return nil }
        let examples = try perImage.examples(of: patch)
        let mapped = Self.strongest(groups.filter { $0.grid != nil }) ?? (byLayer.isEmpty ? group : nil)
        let maps = try mapped.flatMap { try ImageMaps($0, perImage, examples) }

        var views: [View] = []
        var leftOut = false
        for (index, example) in examples.enumerated() {
            var pictures = try images?(example.image.id, figures.statistics.spec)
            let bytes = pictures?.pageBytes ?? 0
            if bytes > room { (pictures, leftOut) = (nil, true) } else { room -= bytes }
            views.append(
                View(
                    example: example, chart: byLayer.isEmpty ? nil : try Self.chart(example, group, perImage),
                    map: maps?.panel(index, over: pictures?.input.map(Picture.init)),
                    mapLimit: maps?.limits[index] ?? 0, pictures: pictures))
        }
        self.patch = patch
        self.group = group
        choice =
            if !byLayer.isEmpty { "the strongest of the patches that are compared by layer" } else if group.grid != nil
            {
                "the strongest of the image patches"
            } else { "the strongest patch" }
        self.views = views
        windows = byLayer.isEmpty ? [] : Array(group.windows.prefix(6))
        mapTitle = maps?.title ?? ""
        hasLeftOutPictures = leftOut
        self.classNames = classNames
    }

    private static func strongest(_ groups: [PlaceGroup]) -> PlaceGroup? {
        groups.max { abs($0.strongest?.p.mean ?? 0) < abs($1.strongest?.p.mean ?? 0) }
    }

    /// p of the target by patched layer, with the clean and the corrupted pass as reference lines.
    private static func chart(_ example: Example, _ group: PlaceGroup, _ perImage: PerImage) throws -> Panel {
        let p = try perImage.p(image: example.image, patches: group.patches.map(\.patch))
        let series = group.windows.prefix(6).enumerated().map { colour, window in
            LineChart.Series(
                name: windowText(window), colour: colour,
                points: group.layers.map { layer in
                    group.patches.firstIndex { $0.record.layer == layer && $0.record.window == window }
                        .map { LineChart.Point(value: p[$0]) }
                })
        }
        return LineChart(
            title: "p of the target, \(group.words.name) \(group.site)", xTitle: group.axisTitle(group.windows),
            yTitle: "p", labels: group.layers,
            connected: group.layersAreNumbers, series: series,
            references: [
                (Double(example.image.clean.p), .reference), (Double(example.image.corrupted.p), .reference2),
            ], digits: 3, yRange: [0, 1], signed: false, height: 176
        ).panel
    }

    // MARK: - On the page

    private func className(_ index: Int) -> String {
        classNames.indices.contains(index) ? classNames[index] : "class \(index)"
    }

    var html: String {
        var out =
            "<p>Single images, \(escaped(group.words.name)): chosen by \(escaped(patch.record.short)), \(escaped(choice)). Its mean effect is "
            + "\(escaped(withInterval(patch.p, 3))). “Patched” is that patch; p is the probability of the target, and a prediction "
            + "in bold is the target.\(mapTitle.isEmpty ? "" : " The maps show the image's own effects, each on its own scale, shown below it.")</p>"
            + legend
        if hasLeftOutPictures {
            out += "<p class=\"note\">Some pictures are left out, as the page would be too large.</p>"
        }
        for kind in Example.Kind.allCases {
            let views = views.filter { $0.example.kind == kind }
            guard !views.isEmpty else { continue }
            out +=
                "<h3>\(kind.title)<span class=\"note\"> · \(kind.note)</span></h3><div class=\"examples\">"
                + views.map(article).joined() + "</div>"
        }
        return out
    }

    private var legend: String {
        var items: [LegendItem] = []
        if !windows.isEmpty {
            if windows.count > 1 {
                items = windows.enumerated().map { LegendItem(mark: .line, series: $0, text: windowText($1)) }
            }
            items += [
                LegendItem(mark: .reference, series: 0, text: "clean pass"),
                LegendItem(mark: .reference2, series: 0, text: "corrupted pass"),
            ]
        }
        return items.isEmpty ? "" : "<div class=\"legend\">\(items.map(\.html).joined())</div>"
    }

    private func article(_ view: View) -> String {
        let image = view.example.image
        var out = "<article><h5>\(escaped(image.id))</h5>"
        if let pictures = view.pictures {
            out += "<div class=\"pictures\">" + picture(pictures.clean, "clean", of: image)
            let note = pictures.note.isEmpty ? "" : " <span class=\"soft\">\(escaped(pictures.note))</span>"
            out +=
                pictures.corrupted.map { picture($0, "corrupted", of: image, note: note) }
                ?? (note.isEmpty ? "" : "<p class=\"note\">\(escaped(pictures.note))</p>")
            out += "</div>"
        }
        let target = image.target == image.label ? "" : ", target <b>\(escaped(className(image.target)))</b>"
        out +=
            "<p>Label <b>\(escaped(className(image.label)))</b>\(target), effect <b>\(plus(view.example.effect, 3))</b></p>"
        let passes: [(String, PassMetrics?)] = [
            ("clean", image.clean), ("corrupted", image.corrupted), ("patched", view.example.patched),
        ]
        out += "<table><thead><tr><th>pass</th><th>prediction</th><th>p</th></tr></thead><tbody>"
        for (name, pass) in passes {
            guard let pass else { continue }
            let hit = pass.prediction == image.target ? " class=\"hit\"" : ""
            out +=
                "<tr><td>\(name)</td><td\(hit)>\(escaped(className(pass.prediction)))</td><td>\(number(Double(pass.p), 3))</td></tr>"
        }
        out += "</tbody></table>"
        if let map = view.map {
            out += map.width < 300 ? "<div class=\"map\">\(map.html)</div>" : map.html
            out += "<div class=\"legend\">\(Figure.colourBarHTML(view.mapLimit, title: "effect on p"))</div>"
        }
        return out + (view.chart?.html ?? "") + "</article>"
    }

    private func picture(_ png: Data, _ name: String, of image: ImageRecord, note: String = "") -> String {
        "<figure>\(Picture(png).html(alt: "\(image.id), \(name)"))<figcaption>\(name)\(note)</figcaption></figure>"
    }
}

extension Example.Kind {
    var title: String { self == .opposite ? "Opposite effect" : rawValue.prefix(1).uppercased() + rawValue.dropFirst() }
    var note: String {
        switch self {
        case .strongest: "the largest effects in the direction of the mean"
        case .typical: "effects nearest the median"
        case .opposite: "the largest effects against the mean"
        }
    }
}

/// Effects on single images as heat maps, each with a scale of its own.
private struct ImageMaps {
    let title: String
    /// [images]: the largest absolute effect of each, prefix tokens excluded
    let limits: [Double]
    private let layout: Layout
    /// [images][places]
    private let effects: [[Double]]

    private enum Layout {
        /// One layer's prefix tokens (CLS ...), then its image patches
        case patches(grid: Int, tokens: TokenLayout)
        /// Every layer's heads
        case heads(layers: [String], heads: [String])
    }

    /// All layers and heads; or the layer of the image patch with the largest mean effect. CLS neither chooses the
    /// layer nor sets the scale.
    ///
    /// - Returns: nil if the group's places are of another kind
    init?(_ group: PlaceGroup, _ perImage: PerImage, _ examples: [Example]) throws {
        let chosen: [Int?]
        if let grid = group.grid, let layer = group.strongestImagePatch?.record.layer {
            layout = .patches(grid: grid, tokens: group.layout)
            let byToken = Self.index(group.patches.filter { $0.record.layer == layer }) { $0.token }
            chosen = (0..<(group.layout.prefix.count + grid * grid)).map { byToken["\($0)"] }
            title = "\(group.words.name) \(group.site)" + (layer.isEmpty ? "" : ", layer \(layer)")
        } else if case .heads = group.shape {
            let heads = unique(group.patches.map(\.record.head))
            layout = .heads(layers: group.layers, heads: heads)
            let byPlace = Self.index(group.patches) { [$0.layer, $0.head] }
            chosen = group.layers.flatMap { layer in heads.map { byPlace[[layer, $0]] } }
            title = group.title
        } else {
            return nil
        }
        effects = try examples.map { example in
            let base = Double(group.direction == "noise" ? example.image.clean.p : example.image.corrupted.p)
            let p = try perImage.p(image: example.image, patches: chosen.compactMap { $0 })
            var next = p.makeIterator()
            return chosen.map { $0 == nil ? .nan : (next.next() ?? .nan) - base }
        }
        let prefix = if case .patches(_, let tokens) = layout { tokens.prefix.count } else { 0 }
        limits = effects.map { $0.dropFirst(prefix).filter(\.isFinite).map(abs).max() ?? 0 }
    }

    private static func index<Key: Hashable>(_ patches: [PatchStatistics], _ key: (PatchRecord) -> Key) -> [Key: Int] {
        Dictionary(patches.map { (key($0.record), $0.patch) }, uniquingKeysWith: { first, _ in first })
    }

    func panel(_ image: Int, over picture: Picture?) -> Panel {
        let values = effects[image], limit = limits[image]
        let digits = decimals(for: [limit])
        func cell(_ place: Int, _ name: String) -> HeatMap.Cell? {
            guard values[place].isFinite else { return nil }
            return HeatMap.Cell(
                value: values[place], significant: false, tooltip: "\(name)\n\(plus(values[place], digits))")
        }
        switch layout {
        case .patches(let grid, let tokens):
            return HeatMap(title: title, limit: limit).tokens(
                grid: grid, layout: tokens, digits: digits, over: picture
            ) {
                cell($0, tokens.name($0))
            }
        case .heads(let layers, let heads):
            return HeatMap(title: title, limit: limit).matrix(
                rows: layers, columns: heads, rowTitle: "layer", columnTitle: "head"
            ) { cell($0 * heads.count + $1, "layer \(layers[$0]), head \(heads[$1])") }
        }
    }
}
