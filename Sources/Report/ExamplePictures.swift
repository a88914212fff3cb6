import Foundation

/// PNG files of an image and of its corrupted version.
package struct ExamplePictures: Sendable {
    /// Source pixels
    package var clean: Data
    /// nil if there is none
    package var corrupted: Data?
    /// A note on the corrupted picture, or why there is none; may be empty
    package var note: String
    /// The clean image as the model reads it, square; maps of tokens are drawn over it
    package var input: Data?

    package init(clean: Data, corrupted: Data?, note: String = "", input: Data? = nil) {
        self.clean = clean
        self.corrupted = corrupted
        self.note = note
        self.input = input
    }

    /// The bytes of the page that they take, approximately.
    var pageBytes: Int { [clean, corrupted, input].reduce(0) { $0 + ($1?.count ?? 0) } * 4 / 3 }
}

/// The pictures of one image (`ImageRecord.id`) under one corruption (its SPEC text); nil where there are none.
package typealias ExampleImages = (_ imageID: String, _ corruption: String) throws -> ExamplePictures?

/// A PNG in the page.
struct Picture {
    let url: String
    /// At most 96 pixels a side, enlarged without smoothing
    let isSmall: Bool

    init(_ png: Data) {
        url = "data:image/png;base64,\(png.base64EncodedString())"
        // Width and height follow the signature and the header's length and name.
        let bytes = [UInt8](png.prefix(24))
        func side(_ at: Int) -> Int { bytes[at..<at + 4].reduce(0) { $0 << 8 | Int($1) } }
        isSmall = bytes.count == 24 && max(side(16), side(20)) <= 96
    }

    func html(alt: String) -> String {
        "<img\(isSmall ? " class=\"pixels\"" : "") alt=\"\(escaped(alt))\" src=\"\(url)\">"
    }

    /// The picture in greyscale, over which values are drawn
    func svg(_ x: Double, _ y: Double, _ side: Double) -> String {
        "<image class=\"under\(isSmall ? " pixels" : "")\" x=\"\(SVG.number(x))\" y=\"\(SVG.number(y))\" width=\"\(SVG.number(side))\" "
            + "height=\"\(SVG.number(side))\" preserveAspectRatio=\"none\" href=\"\(url)\"/>"
    }
}
