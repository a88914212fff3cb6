import CLRuntime
import Kernels
import Reference
import Testing
import Verification

struct NoiseTests {
    @Test(arguments: tunings) func agreesWithTheReference(_ tuning: Tuning?) throws {
        try expectPassing(OpCase.noiseCases, on: try library(tuning))
    }

    /// An image's noise depends on its own values and key words, not on the images computed with it.
    @Test func imagesAloneAreTheSameBits() throws {
        let library = try library(), context = library.context
        var random = SplitMix64.fresh()
        let images = 5, values = 77
        let e = random.normals(images * values),
            words = (0..<4 * images).map { _ in Int32.random(in: .min ... .max, using: &random) }
        let operation = try Noise(library), input = try Buffer(context, words)
        let deviations = try Buffer<Float>(context, count: images)
        let together = try Buffer(context, e)
        try operation.add(
            e: together, values: values, images: 0..<images, strength: 2, keys: input, offset: 0, deviations: deviations
        )
        let expected = try together.read()
        for image in 0..<images {
            let own = (image * values)..<((image + 1) * values)
            let alone = try Buffer(context, Array(e[own]))
            try operation.add(
                e: alone, values: values, images: image..<(image + 1), strength: 2, keys: input, offset: 0,
                deviations: deviations)
            #expect(try alone.read() == Array(expected[own]), "seed \(random.seed)")
        }
    }

    /// A given deviation replaces the image's own; the noise is proportional to it.
    @Test func aGivenDeviationTakesThePlaceOfTheImages() throws {
        let library = try library(), context = library.context
        let operation = try Noise(library), deviations = try Buffer<Float>(context, count: 2)
        let keys = try Buffer<Int32>(context, [1, -2, 3, 4, 5, 6, -7, 8])
        let zeros = [Float](repeating: 0, count: 20)
        func run(_ strength: Float, _ deviation: Float?) throws -> [Float] {
            let e = try Buffer(context, zeros)
            try operation.add(
                e: e, values: 10, images: 0..<2, strength: strength, keys: keys, offset: 0, deviations: deviations,
                deviation: deviation)
            return try e.read()
        }
        #expect(try run(1, nil) == zeros)  // an image of equal values has deviation 0
        let noise = try run(1, 4)
        #expect(noise.allSatisfy { $0 != 0 })
        #expect(try run(4, 1) == noise)
    }

    @Test func refusesWrongSizes() throws {
        let library = try library(), context = library.context
        let operation = try Noise(library)
        let e = try Buffer<Float>(context, count: 20), input = try Buffer<Int32>(context, count: 9)
        let deviations = try Buffer<Float>(context, count: 2)
        func run(values: Int = 10, images: Range<Int> = 0..<2, keys: Int = 1) throws {
            try operation.add(
                e: e, values: values, images: images, strength: 1, keys: input, offset: keys, deviations: deviations)
        }
        expectShapeError(context) { try run(values: 11) }
        expectShapeError(context) { try run(values: -1) }
        expectShapeError(context) { try run(values: 5, images: 0..<3) }
        expectShapeError(context) { try run(images: 1..<3) }
        expectShapeError(context) { try run(images: -1..<1) }
        expectShapeError(context) { try run(keys: 2) }
        expectShapeError(context) { try run(keys: -1) }
        try run()
    }
}
