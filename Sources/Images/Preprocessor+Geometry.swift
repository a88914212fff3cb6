import Formats

// The sizes in a preprocessor's configuration: resizing and centre crop.
extension Preprocessor {
    enum Resizing: Sendable, Equatable {
        case off
        case to(PixelSize)
        case shortestEdge(Int)
    }

    /// The resizing and the centre crop that a configuration asks for.
    static func geometry(
        _ file: ProcessorFile, _ kind: ProcessorClass, model: PixelSize
    ) throws -> (Resizing, crop: PixelSize?) {
        var isSquare = if case .square = kind.size { true } else { false }
        isSquare = try file.bool("default_to_square") ?? isSquare
        var resizing: Resizing
        switch try file.size("size") {
        case nil:
            switch kind.size {
            case .square(let size): resizing = .to(size)
            case .shortestEdge(let side): resizing = .shortestEdge(side)
            }
        case .side(let side): resizing = isSquare ? .to(PixelSize(side: side)) : .shortestEdge(side)
        case .keys(let keys):
            if keys.count == 2, let height = keys["height"], let width = keys["width"] {
                resizing = .to(PixelSize(height: height, width: width))
            } else if keys.count == 1, let edge = keys["shortest_edge"] {
                resizing = .shortestEdge(edge)
            } else {
                let found = keys.keys.sorted().joined(separator: ", ")
                throw file.error("size has the keys \(found), expected height and width, or shortest_edge")
            }
        }
        var crop: PixelSize?
        if try file.bool("do_center_crop") ?? kind.crops {
            switch try file.size("crop_size") {
            case nil: crop = kind.crops ? PixelSize(side: kind.crop) : model
            case .side(let side): crop = PixelSize(side: side)
            case .keys(let keys):
                guard let height = keys["height"], let width = keys["width"] else {
                    throw file.error("crop_size lacks height or width")
                }
                crop = PixelSize(height: height, width: width)
            }
        }
        if let cropShare = kind.cropShare, case .shortestEdge(let edge) = resizing {
            let share = try file.number("crop_pct") ?? cropShare
            guard share > 0, share <= 1 else { throw file.error("crop_pct is \(share), expected above 0 and up to 1") }
            if edge < 384 {
                crop = PixelSize(side: edge)
                resizing = .shortestEdge(Int(exactly: (Double(edge) / share).rounded(.down)) ?? 0)
            } else {
                resizing = .to(PixelSize(side: edge))
            }
        }
        if try !(file.bool("do_resize") ?? true) { resizing = .off }
        return (resizing, crop)
    }

    /// Scales a resize and crop of another fixed output size so that they give the model's size.
    static func scaled(_ resizing: Resizing, _ crop: PixelSize?, to model: PixelSize) -> (Resizing, PixelSize?) {
        var fixed = crop
        if fixed == nil, case .to(let size) = resizing { fixed = size }
        guard let fixed, fixed != model, fixed.width > 0, fixed.height > 0 else { return (resizing, crop) }
        func scaled(_ side: Int, _ from: Int, _ to: Int) -> Int {
            Int(exactly: (Double(side) * Double(to) / Double(from)).rounded()) ?? 0
        }
        let resized: Resizing =
            switch resizing {
            case .off: .off
            case .to(let size):
                .to(
                    PixelSize(
                        height: scaled(size.height, fixed.height, model.height),
                        width: scaled(size.width, fixed.width, model.width)))
            case .shortestEdge(let edge): .shortestEdge(scaled(edge, fixed.height, model.height))
            }
        return (resized, crop.map { _ in model })
    }

    /// Rejects unusable sizes, and a fixed output size that is not the model's.
    static func check(_ resizing: Resizing, _ crop: PixelSize?, model: PixelSize, _ file: ProcessorFile) throws {
        var fixed = crop
        if case .to(let size) = resizing {
            guard pixelCount(size.width, size.height) != nil else {
                throw file.error("size \(size.width) x \(size.height) is not usable")
            }
            fixed = fixed ?? size
        }
        if case .shortestEdge(let edge) = resizing, pixelCount(edge, edge) == nil {
            throw file.error("size.shortest_edge \(edge) is not usable")
        }
        if let fixed, fixed != model {
            throw file.error(
                "it makes images of \(fixed.width) x \(fixed.height) pixels, but the model takes "
                    + "\(model.width) x \(model.height)")
        }
    }
}
