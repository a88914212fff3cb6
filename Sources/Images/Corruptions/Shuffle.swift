/// `shuffle:N`: permutes the cells of an N x N grid over the image
struct Shuffle: CorruptionKind {
    static let name = "shuffle"
    static let forms = ["shuffle:N"]
    static let example = "shuffle:4"
    static let expected: String? = "a whole number of cells a side from 2 to \(maxCells)"

    private static let maxCells = 1000

    private let cells: Int
    let stage = Corruption.Stage.source
    let isRandom = true

    init?(value: String) {
        guard let cells = Int(value), 2...Self.maxCells ~= cells else { return nil }
        self.cells = cells
    }

    var value: String { String(cells) }

    func prepare(_ setting: CorruptionSetting) throws -> CorruptionWork {
        .pixels { [cells, spec] draw in
            guard cells <= min(draw.image.width, draw.image.height) else {
                throw ImageError.corruption(
                    spec: spec,
                    reason: "needs images of at least \(cells) x \(cells) pixels, but \(draw.id) has "
                        + "\(draw.image.width) x \(draw.image.height)")
            }
            let order = draw.key(.shuffle).permutation(cells * cells, mayBeIdentity: false)
            return draw.image.shuffled(cells: cells, order: order)
        }
    }
}

extension RGBImage {
    /// Permutes the cells of an N x N grid: cell i of the result, counted row by row, is cell `order[i]` of this image.
    ///
    /// Cell (row r, column c) spans the columns from floor(c * width / N) up to, not including, floor((c + 1) * width /
    /// N), and rows likewise. If N does not divide the size, cells differ by a pixel. A cell that moves to one of
    /// another size is resampled by nearest neighbour: pixel u of m comes from floor((u + 1/2) * n / m) of n.
    ///
    /// - Precondition: `cells` is at most the width and the height; `order` is a permutation of 0..<cells * cells.
    func shuffled(cells: Int, order: [Int]) -> RGBImage {
        func span(_ i: Int, _ size: Int) -> Range<Int> { i * size / cells..<(i + 1) * size / cells }
        func nearest(_ i: Int, _ to: Range<Int>, _ from: Range<Int>) -> Int {
            from.lowerBound + (2 * (i - to.lowerBound) + 1) * from.count / (2 * to.count)
        }
        var result = pixels
        for (target, source) in order.enumerated() {
            let rows = span(target / cells, height), columns = span(target % cells, width)
            let fromRows = span(source / cells, height), fromColumns = span(source % cells, width)
            for y in rows {
                let fromRow = nearest(y, rows, fromRows) * width
                for x in columns {
                    let i = (y * width + x) * 3, from = (fromRow + nearest(x, columns, fromColumns)) * 3
                    for c in 0..<3 { result[i + c] = pixels[from + c] }
                }
            }
        }
        return RGBImage(unchecked: width, height, result)
    }
}
