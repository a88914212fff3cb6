import Testing

@testable import Images

@Suite struct CorruptionTests {
    @Test func noneAndGrayscale() throws {
        let image = try source()
        #expect(try Corruption(spec: "none").apply(to: image) == image)
        #expect(try Corruption(spec: "grayscale").apply(to: image) == ppm("gray.ppm"))
        for spec in ["none", "grayscale"] { #expect(try Corruption(spec: spec).spec == spec) }
    }

    @Test(arguments: ["blur:2", "noise:3", "channel:r", "shuffle:4", "mask:0.5", "mean", "pair:/data", "blur"])
    func toCome(spec: String) {
        #expect(throws: ImageError.notBuilt(spec)) { try Corruption(spec: spec) }
        #expect(ImageError.notBuilt(spec).description == "The corruption '\(spec)' is not built yet.")
    }

    @Test(arguments: ["", "gray", "Grayscale", ":", " none", "blurry:2"])
    func unknown(spec: String) {
        let text = message { _ = try Corruption(spec: spec) }
        #expect(text?.contains("'\(spec)' is unknown; valid are none, grayscale, blur:SIGMA") == true)
    }

    @Test func aValueTooMany() {
        #expect(
            message { _ = try Corruption(spec: "grayscale:1") } == "The corruption 'grayscale:1' takes no value.")
    }
}
