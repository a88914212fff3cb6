import Foundation
import Results
import Statistics

/// The PNG thumbnail of an image (`ImageRecord.id`); nil if there is none.
package typealias Thumbnails = (_ imageID: String) throws -> Data?

/// The images behind the cells of heat maps: for every patch, those with the largest and the smallest effects on p.
struct CellImages {
    private struct Content: Encodable {
        struct Image: Encodable {
            var id: String
            /// `data:image/png;base64,...`; nil: no picture
            var picture: String?
        }
        struct Effect: Encodable {
            /// Index into `images`
            var image: Int
            var effect: String
        }
        var images: [Image]
        /// By `key`, the largest effect first
        var cells: [String: [Effect]]
    }

    /// Over all cells; each takes about 30 bytes of the page. Beyond this number, the weakest cells do not open.
    private static let mostEffects = 30_000

    private let content: Content

    /// A cell's key in the page: the indices of its corruption and its patch in the store
    static func key(_ corruption: Int, _ patch: Int) -> String { "\(corruption).\(patch)" }

    /// - Parameters:
    ///   - count: at most this many images per cell
    ///   - room: bytes of the page for pictures; the strongest patches' images come first
    init(
        store: ResultsStore, statistics: [CorruptionStatistics], count: Int, thumbnails: Thumbnails?, room: Int
    ) throws {
        var ids: [String] = []
        var indices: [String: Int] = [:]
        var cells: [String: [Content.Effect]] = [:]
        var strengths: [(key: String, mean: Double)] = []
        for item in statistics where item.images > 0 {
            let images = try store.completeImages(corruption: item.corruption), n = images.count
            let perBlock = max(1, 8_000_000 / n)
            for start in stride(from: 0, to: item.patches.count, by: perBlock) {
                let block = item.patches[start..<min(start + perBlock, item.patches.count)]
                guard let first = block.first, let last = block.last else { continue }
                let columns = Dictionary(
                    zip(block.map(\.patch), block.indices.map { $0 - start }), uniquingKeysWith: { first, _ in first })
                var values = [Double](repeating: .nan, count: n * block.count)  // [block, n]
                try store.forEachEffect(
                    corruption: item.corruption, images: images, patches: first.patch..<last.patch + 1
                ) { row, index, patched in
                    guard let column = columns[first.patch + index] else { return }
                    let isNoise = item.patches[start + column].record.direction == "noise"
                    let base = isNoise ? images[row].clean.p : images[row].corrupted.p
                    values[column * n + row] = Double(patched.p) - Double(base)
                }
                for (column, patch) in block.enumerated() {
                    let effects = values[column * n..<(column + 1) * n]
                    let found = Self.extremes(Array(effects), count: count).map { row -> Content.Effect in
                        let id = images[row].id
                        let index = indices[id] ?? ids.count
                        if index == ids.count {
                            ids.append(id)
                            indices[id] = index
                        }
                        return .init(image: index, effect: plus(values[column * n + row], 3))
                    }
                    let key = Self.key(item.corruption, patch.patch)
                    cells[key] = found
                    strengths.append((key, abs(patch.p.mean)))
                }
            }
        }
        strengths.sort { ($1.mean, $0.key) < ($0.mean, $1.key) }
        let most = Self.mostEffects / count
        for cell in strengths.dropFirst(most) { cells[cell.key] = nil }
        var content = Content(images: ids.map { .init(id: $0) }, cells: cells)
        if let thumbnails {
            var room = room
            var tried: Set<Int> = []
            choice: for cell in strengths.prefix(most) {
                for effect in cells[cell.key] ?? [] where tried.insert(effect.image).inserted {
                    guard let picture = try thumbnails(ids[effect.image]) else { continue }
                    let url = Picture(picture).url
                    room -= url.utf8.count
                    if room < 0 { break choice }
                    content.images[effect.image].picture = url
                }
            }
        }
        self.content = content
    }

    /// The rows with the largest values and those with the smallest, at most `count` in all, in descending order.
    static func extremes(_ values: [Double], count: Int) -> [Int] {
        let order = values.indices.filter { values[$0].isFinite }.sorted { (values[$1], $0) < (values[$0], $1) }
        guard order.count > count else { return order }
        return Array(order.prefix((count + 1) / 2) + order.suffix(count / 2))
    }

    /// JSON for the page's script, which opens the cells
    var html: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let json = (try? encoder.encode(content)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
        return "<script type=\"application/json\" id=\"cells\">\(json.replacing("<", with: "\\u003c"))</script>"
    }
}
