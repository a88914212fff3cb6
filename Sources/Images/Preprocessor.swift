import Formats

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Turns an image into a model's input, as the model's folder specifies: resize, centre crop, rescale, normalise.
///
/// Matches transformers' image processors bit for bit, on either of their backends. Pillow: resizes bytes, rescales in
/// Double rounded to Float, then (x - mean) / std in Float. torchvision: its own resizing of bytes, with rescaling
/// folded into mean and std.
package struct Preprocessor: Sendable {
    /// The model's input size
    package let imageSize: PixelSize
    /// The library whose resizing is reproduced
    package let library: ResizeLibrary
    /// Assumptions made where no file specifies the preprocessing, one sentence each
    package let notes: [String]
    private let resizing: Resizing
    private let filter: Resample
    private let crop: PixelSize?
    private let table: [Float]  // [3, 256], the normalised value of each byte
    /// Whether a centre crop's offset is rounded half to even (torchvision, timm) instead of down (Pillow)
    private let roundsCrop: Bool

    /// The defaults of `init` without a configuration, in words.
    package static func defaultsText(imageSize: PixelSize) -> String {
        "resized to \(imageSize.pixels) pixels (bilinear), scaled by 1/255 and normalised with mean 0.5 and standard "
            + "deviation 0.5, the defaults of transformers' ViTImageProcessor"
    }

    /// - Parameters:
    ///   - config: the file's contents (formats: `ProcessorFile`). Absent keys take the defaults of the class that the
    ///     file names. If it names none, or there is no file (nil), they take ViTImageProcessor's at the model's size.
    ///   - imageSize: the model's input size.
    ///   - isScaled: whether the model runs at another size than the file's, whose sizes are then scaled to it.
    ///   - name: the file name for messages.
    ///   - library: nil for the class's own: torchvision if its name ends in Fast, otherwise Pillow.
    /// - Throws: ``ImageError/preprocessor(name:reason:)`` for unsupported settings, an unknown class included, and if
    ///   the output has a fixed size other than `imageSize`.
    package init(
        config: Data?, imageSize: PixelSize, isScaled: Bool = false, name: String = "preprocessor_config.json",
        library: ResizeLibrary? = nil
    ) throws {
        let file = try ProcessorFile(config, name: name)
        guard pixelCount(imageSize.width, imageSize.height) != nil else {
            throw file.error("the model's image size \(imageSize) is not usable")
        }
        if file.isTimm {
            self = try Self(timm: file, imageSize: imageSize, isScaled: isScaled, library: library)
            return
        }
        self.imageSize = imageSize

        let type = try file.string("image_processor_type") ?? file.string("feature_extractor_type")
        guard var kind = type.map(ProcessorClass.init(type:)) ?? ProcessorClass.vit else {
            throw file.error(
                "image_processor_type is \(type ?? ""), expected one of "
                    + ProcessorClass.all.map(\.name).joined(separator: ", "))
        }
        if type == nil {
            kind.size = .square(imageSize)
            let absent =
                config == nil
                ? "There is no \(name)" : "\(name) names no image_processor_type; what it leaves out takes defaults"
            notes = ["\(absent): images are \(Self.defaultsText(imageSize: imageSize))"]
        } else {
            notes = []
        }
        let library = library ?? (type?.hasSuffix("Fast") == true ? .torchvision : .pillow)
        self.library = library
        roundsCrop = library == .torchvision
        filter = try file.resample("resample") ?? kind.resample
        if library == .torchvision, filter != .bilinear, filter != .bicubic {
            throw file.error("resample is \(filter); torchvision's bilinear and bicubic are read")
        }
        let model = imageSize
        var (resizing, crop) = try Self.geometry(file, kind, model: model)
        if isScaled { (resizing, crop) = Self.scaled(resizing, crop, to: model) }
        (self.resizing, self.crop) = (resizing, crop)
        try Self.check(resizing, crop, model: model, file)

        for key in ["do_pad", "do_flip_channel_order"] where try file.bool(key) ?? false {
            throw file.error("\(key) is true, which is not supported")
        }
        let scale = try file.bool("do_rescale") ?? true ? file.number("rescale_factor") ?? 1.0 / 255 : nil
        var mean = try file.channels("image_mean") ?? kind.mean, std = try file.channels("image_std") ?? kind.std
        if try !(file.bool("do_normalize") ?? true) { (mean, std) = ([0, 0, 0], [1, 1, 1]) }
        if std.contains(0) { throw file.error("image_std has a 0") }
        let isNormalized = try file.bool("do_normalize") ?? true
        table = (0..<3).flatMap { c in
            (0..<256).map { byte in
                if library == .pillow {
                    return (Float(Double(byte) * (scale ?? 1)) - Float(mean[c])) / Float(std[c])
                }
                guard isNormalized else { return Float(byte) * Float(scale ?? 1) }
                let factor = Float(scale.map { 1 / $0 } ?? 1)
                return (Float(byte) - Float(mean[c]) * factor) / (Float(std[c]) * factor)
            }
        }
    }

    /// timm's evaluation transform: Pillow resizes the shorter side to S / crop_pct, centre crop, division by 255.
    private init(timm file: ProcessorFile, imageSize: PixelSize, isScaled: Bool, library: ResizeLibrary?) throws {
        self.imageSize = imageSize
        self.library = library ?? .pillow
        notes = []
        roundsCrop = true
        let model = imageSize, expected = [3, imageSize.height, imageSize.width]
        if !isScaled, let input = try file.ints("input_size"), input != expected {
            throw file.error("input_size is \(input), but the model takes \(expected)")
        }
        let share = try file.number("crop_pct") ?? 0.875
        guard share > 0, share <= 1 else { throw file.error("crop_pct is \(share), expected above 0 and up to 1") }
        func enlarged(_ side: Int) -> Int { Int((Double(side) / share).rounded(.down)) }
        switch try file.string("crop_mode") ?? "center" {
        case "center" where model.isSquare: resizing = .shortestEdge(enlarged(model.height))
        case "center":
            throw file.error("crop_mode is center, which is read for square images; the model's are \(model.pixels)")
        case "squash": resizing = .to(PixelSize(height: enlarged(model.height), width: enlarged(model.width)))
        case let mode: throw file.error("crop_mode is \(mode), expected center or squash")
        }
        crop = model
        filter = try file.resample("interpolation") ?? .bilinear
        try Self.check(resizing, crop, model: model, file)
        let mean = try file.channels("mean") ?? [0.485, 0.456, 0.406]
        let std = try file.channels("std") ?? [0.229, 0.224, 0.225]
        if std.contains(0) { throw file.error("std has a 0") }
        table = (0..<3).flatMap { c in
            (0..<256).map { byte in (Float(byte) / 255 - Float(mean[c])) / Float(std[c]) }
        }
    }

    /// Converts an image of any size to the model's input, [3, height, width].
    /// - Throws: ``ImageError/size(_:)`` if the result has another size, or an intermediate image is too large.
    package func callAsFunction(_ image: RGBImage) throws -> [Float] {
        var image = image
        switch resizing {
        case .off: break
        case .to(let size):
            image = try resize(
                image, width: size.width, height: size.height, filter: filter, like: library)
        case .shortestEdge(let edge):
            let short = min(image.width, image.height), long = max(image.width, image.height)
            let newLong = Double(edge) * Double(long) / Double(short)
            let portrait = image.width <= image.height
            image = try resize(
                image, width: portrait ? edge : Int(newLong), height: portrait ? Int(newLong) : edge,
                filter: filter, like: library)
        }
        if let crop { image = centerCrop(image, crop) }
        guard image.width == imageSize.width, image.height == imageSize.height else {
            throw ImageError.size(
                "Preprocessing gives \(image.width) x \(image.height) pixels, but the model takes \(imageSize.pixels)."
            )
        }
        let plane = imageSize.count
        return [Float](unsafeUninitializedCapacity: 3 * plane) { out, filled in
            image.pixels.withUnsafeBufferPointer { source in
                table.withUnsafeBufferPointer { table in
                    for c in 0..<3 {
                        for i in 0..<plane { out[c &* plane &+ i] = table[c &* 256 &+ Int(source[i &* 3 &+ c])] }
                    }
                }
            }
            filled = 3 * plane
        }
    }

    /// A model's input, [3, height, width], as the nearest bytes: undoes rescaling and normalisation, not resizing.
    /// - Throws: ``ImageError/size(_:)`` if the input has another size.
    package func picture(of input: [Float]) throws -> RGBImage {
        let plane = imageSize.count
        guard input.count == 3 * plane else {
            throw ImageError.size(
                "A preprocessed image has \(input.count) values, expected 3 x \(imageSize.height) x \(imageSize.width)."
            )
        }
        var pixels = [UInt8](repeating: 0, count: 3 * plane)
        for c in 0..<3 {
            let black = table[c * 256], white = table[c * 256 + 255]
            for i in 0..<plane {
                let byte = (255 * (input[c * plane + i] - black) / (white - black)).rounded()
                pixels[3 * i + c] = byte.isFinite ? UInt8(max(0, min(255, byte))) : 0
            }
        }
        return RGBImage(unchecked: imageSize.width, imageSize.height, pixels)
    }

    /// Cuts out the centre; a smaller image is padded with black, the odd pixel in front (torchvision: behind).
    private func centerCrop(_ image: RGBImage, _ size: PixelSize) -> RGBImage {
        func origin(_ inSize: Int, _ outSize: Int) -> Int {
            // The crop starts at floor((in - out) / 2); negative if it starts outside the image
            let difference = inSize - outSize
            if roundsCrop {  // padding is rounded down, a crop half to even
                return difference > 0 ? Int((Double(difference) / 2).rounded(.toNearestOrEven)) : difference / 2
            }
            return difference >= 0 ? difference / 2 : -((1 - difference) / 2)
        }
        let left = origin(image.width, size.width), top = origin(image.height, size.height)
        var pixels = [UInt8](repeating: 0, count: size.width * size.height * 3)
        let columns = max(left, 0)..<min(left + size.width, image.width)
        for y in max(top, 0)..<min(top + size.height, image.height) {
            let from = (y * image.width + columns.lowerBound) * 3
            let to = ((y - top) * size.width + columns.lowerBound - left) * 3
            pixels.replaceSubrange(
                to..<to + columns.count * 3, with: image.pixels[from..<from + columns.count * 3])
        }
        return RGBImage(unchecked: size.width, size.height, pixels)
    }
}
