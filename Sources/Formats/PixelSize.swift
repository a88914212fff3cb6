/// Height and width in pixels of an image or a patch. An integer literal makes a square.
package struct PixelSize: Sendable, Hashable, ExpressibleByIntegerLiteral, CustomStringConvertible {
    package var height: Int, width: Int

    package init(height: Int, width: Int) { (self.height, self.width) = (height, width) }
    package init(side: Int) { self.init(height: side, width: side) }
    package init(integerLiteral side: Int) { self.init(side: side) }

    /// Parses S or HEIGHTxWIDTH, as in options; nil for any other text.
    package init?(_ text: String) {
        let sides = text.split(separator: "x", omittingEmptySubsequences: false).map { side in
            side.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Int(side) : nil
        }
        guard let height = sides[0], let width = sides.last ?? nil, sides.count <= 2 else { return nil }
        self.init(height: height, width: width)
    }

    package var isSquare: Bool { height == width }
    package var count: Int { height * width }

    /// As in config.json: 224, or [192, 256]
    package var description: String { isSquare ? "\(height)" : "[\(height), \(width)]" }
    /// As in options: 224, or 192x256
    package var option: String { isSquare ? "\(height)" : "\(height)x\(width)" }
    /// Width first, as is usual for pictures: 256 x 192
    package var pixels: String { "\(width) x \(height)" }
}
