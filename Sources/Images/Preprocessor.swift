#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// From an image to a model's input, as preprocessor_config.json says: resize, centre crop, rescale, normalise.
///
/// Follows transformers' image processors on their Pillow backend, bit for bit: resizing on bytes, rescaling in
/// Double rounded to Float, then (x - mean) / std in Float.
package struct Preprocessor: Sendable {
    /// S, the side of the model's square input
    package let imageSize: Int
    private let resizing: Resizing
    private let filter: Resample
    private let crop: Size?
    private let table: [Float]  // [3, 256], the normalised value of each byte

    private struct Size: Sendable, Equatable {
        var width: Int, height: Int
    }

    private enum Resizing: Sendable, Equatable {
        case off
        case to(Size)
        case shortestEdge(Int)
    }

    /// What `init` does without a configuration, in words.
    package static func defaultsText(imageSize: Int) -> String {
        "resized to \(imageSize) x \(imageSize) pixels (bilinear), scaled by 1/255 and normalised with mean 0.5 and standard "
            + "deviation 0.5, the defaults of transformers' ViTImageProcessor"
    }

    /// - Parameters:
    ///   - config: the contents of preprocessor_config.json; nil stands for ViTImageProcessor's defaults at the model's
    ///     size (bilinear, 1/255, mean and std 0.5), which also stand in for keys that are missing.
    ///   - imageSize: S, the side of the model's input.
    ///   - name: the file name for error messages.
    /// - Throws: ``ImageError/preprocessor(name:reason:)`` for what cannot be followed, or when the output of a fixed
    ///   size is not S x S.
    package init(config: Data?, imageSize: Int, name: String = "preprocessor_config.json") throws {
        let file = try config.map { try Self.parse($0, name: name) } ?? Config()
        func fail(_ reason: String) -> ImageError { .preprocessor(name: name, reason: reason) }
        guard pixelCount(imageSize, imageSize) != nil else {
            throw fail("the model's image size \(imageSize) is not usable")
        }
        self.imageSize = imageSize

        let model = Size(width: imageSize, height: imageSize)
        if file.do_resize ?? true {
            switch file.size {
            case nil:
                resizing = .to(model)
            case .side(let side):
                resizing = file.takesShortestEdge ? .shortestEdge(side) : .to(Size(width: side, height: side))
            case .keys(let keys):
                if keys.count == 2, let height = keys["height"], let width = keys["width"] {
                    resizing = .to(Size(width: width, height: height))
                } else if keys.count == 1, let edge = keys["shortest_edge"] {
                    resizing = .shortestEdge(edge)
                } else {
                    let found = keys.keys.sorted().joined(separator: ", ")
                    throw fail("size has the keys \(found), expected height and width, or shortest_edge")
                }
            }
        } else {
            resizing = .off
        }

        guard let filter = Resample(rawValue: file.resample ?? Resample.bilinear.rawValue) else {
            throw fail("resample is \(file.resample ?? 0), expected 0 to 5")
        }
        self.filter = filter

        if file.do_center_crop ?? false {
            switch file.crop_size {
            case nil: crop = model
            case .side(let side): crop = Size(width: side, height: side)
            case .keys(let keys):
                guard let height = keys["height"], let width = keys["width"] else {
                    throw fail("crop_size lacks height or width")
                }
                crop = Size(width: width, height: height)
            }
        } else {
            crop = nil
        }

        if file.do_pad ?? false { throw fail("do_pad is true, which is not supported") }
        if file.do_flip_channel_order ?? false {
            throw fail("do_flip_channel_order is true, which is not supported")
        }

        var fixed = crop
        if case .to(let size) = resizing {
            guard pixelCount(size.width, size.height) != nil else {
                throw fail("size \(size.width) x \(size.height) is not usable")
            }
            fixed = fixed ?? size
        }
        if case .shortestEdge(let edge) = resizing, pixelCount(edge, edge) == nil {
            throw fail("size.shortest_edge \(edge) is not usable")
        }
        if let fixed, fixed != model {
            throw fail(
                "it makes images of \(fixed.width) x \(fixed.height) pixels, but the model takes \(imageSize) x \(imageSize)"
            )
        }

        let scale = file.do_rescale ?? true ? file.rescale_factor ?? 1.0 / 255 : 1
        var mean: [Float] = [0, 0, 0], std: [Float] = [1, 1, 1]
        if file.do_normalize ?? true {
            func channels(_ value: Config.PerChannel?, _ key: String) throws -> [Float] {
                let values = value?.values ?? [0.5]
                guard values.count == 3 || values.count == 1 else {
                    throw fail("\(key) has \(values.count) values, expected 3")
                }
                return (0..<3).map { Float(values[values.count == 3 ? $0 : 0]) }
            }
            mean = try channels(file.image_mean, "image_mean")
            std = try channels(file.image_std, "image_std")
            if std.contains(0) { throw fail("image_std has a 0") }
        }
        table = (0..<3).flatMap { c in (0..<256).map { (Float(Double($0) * scale) - mean[c]) / std[c] } }
    }

    /// The model's input, [3, S, S], for an image of any size.
    /// - Throws: ``ImageError/size(_:)`` when the result would not be S x S, or is too large on the way there.
    package func callAsFunction(_ image: RGBImage) throws -> [Float] {
        var image = image
        switch resizing {
        case .off: break
        case .to(let size): image = try resize(image, width: size.width, height: size.height, filter: filter)
        case .shortestEdge(let edge):
            let short = min(image.width, image.height), long = max(image.width, image.height)
            let newLong = Double(edge) * Double(long) / Double(short)
            let portrait = image.width <= image.height
            image = try resize(
                image, width: portrait ? edge : Int(newLong), height: portrait ? Int(newLong) : edge,
                filter: filter)
        }
        if let crop { image = centerCrop(image, crop) }
        guard image.width == imageSize, image.height == imageSize else {
            throw ImageError.size(
                "Preprocessing gives \(image.width) x \(image.height) pixels, but the model takes \(imageSize) x \(imageSize)."
            )
        }
        let plane = imageSize * imageSize
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

    /// A model's input, [3, S, S], as bytes: each value's nearest. Rescaling and normalising are undone, not resizing.
    /// - Throws: ``ImageError/size(_:)`` when it has another size.
    package func picture(of input: [Float]) throws -> RGBImage {
        let plane = imageSize * imageSize
        guard input.count == 3 * plane else {
            throw ImageError.size(
                "A preprocessed image has \(input.count) values, expected 3 x \(imageSize) x \(imageSize).")
        }
        var pixels = [UInt8](repeating: 0, count: 3 * plane)
        for c in 0..<3 {
            let black = table[c * 256], white = table[c * 256 + 255]
            for i in 0..<plane {
                let byte = (255 * (input[c * plane + i] - black) / (white - black)).rounded()
                pixels[3 * i + c] = byte.isFinite ? UInt8(max(0, min(255, byte))) : 0
            }
        }
        return RGBImage(unchecked: imageSize, imageSize, pixels)
    }

    /// Cuts the middle out; where the image is smaller it is padded with black, the odd pixel before it.
    private func centerCrop(_ image: RGBImage, _ size: Size) -> RGBImage {
        func origin(_ inSize: Int, _ outSize: Int) -> Int {
            // floor((in - out) / 2) is where the crop starts; negative where it starts outside the image
            let difference = inSize - outSize
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

extension Preprocessor {
    /// The keys of preprocessor_config.json that matter, under their own names.
    fileprivate struct Config: Decodable {
        var do_resize: Bool?
        var size: SizeValue?
        var resample: Int?
        var do_center_crop: Bool?
        var crop_size: SizeValue?
        var do_rescale: Bool?
        var rescale_factor: Double?
        var do_normalize: Bool?
        var image_mean: PerChannel?
        var image_std: PerChannel?
        var do_pad: Bool?
        var do_flip_channel_order: Bool?
        var image_processor_type: String?
        var feature_extractor_type: String?

        /// Whether a plain number as `size` means the shorter side, not both (`default_to_square = False`).
        var takesShortestEdge: Bool {
            let type = image_processor_type ?? feature_extractor_type ?? ""
            return ["CLIP", "Bit"].contains { type.hasPrefix($0) }
        }

        enum SizeValue: Decodable {
            case side(Int)
            case keys([String: Int])

            init(from decoder: any Decoder) throws {
                let value = try decoder.singleValueContainer()
                if let side = try? value.decode(Int.self) {
                    self = .side(side)
                } else if let pair = try? value.decode([Int].self), pair.count == 2 {
                    self = .keys(["height": pair[0], "width": pair[1]])
                } else {
                    let keys = try value.decode([String: Int?].self)
                    self = .keys(keys.compactMapValues { $0 })
                }
            }
        }

        struct PerChannel: Decodable {
            let values: [Double]

            init(from decoder: any Decoder) throws {
                let value = try decoder.singleValueContainer()
                values = try (try? value.decode(Double.self)).map { [$0] } ?? value.decode([Double].self)
            }
        }
    }

    fileprivate static func parse(_ data: Data, name: String) throws -> Config {
        do {
            return try JSONDecoder().decode(Config.self, from: data)
        } catch DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context) {
            let key = context.codingPath.map(\.stringValue).joined(separator: ".")
            throw ImageError.preprocessor(
                name: name, reason: "\(key.isEmpty ? "the file" : key) has an unexpected type")
        } catch {
            throw ImageError.preprocessor(name: name, reason: "it is not valid JSON")
        }
    }
}
