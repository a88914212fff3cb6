import Foundation
import Images

extension FuzzReader {
    /// Images by format, EXIF and CIFAR's batches
    static let pictures: [FuzzReader] =
        [
            ("jpeg", "images/decode", ".jpg"), ("png", "images/decode", ".png"), ("bmp", "images/formats", ".bmp"),
            ("gif", "images/formats", ".gif"), ("tiff", "images/formats", ".tiff"), ("webp", "images/formats", ".webp"),
        ].map { (name, folder, suffix) in
            FuzzReader(name: name, seeds: { try fixtures(folder, suffix) + found(name) }) {
                _ = try decodeImage($0, name: "image", reading: ImageReading(appliesEXIF: true))
            }
        } + [
            FuzzReader(name: "exif", seeds: { try fixtures("images/formats/exif", ".jpg", ".png", ".webp") }) { data in
                data.withUnsafeBytes {
                    let bytes = $0.bindMemory(to: UInt8.self)
                    if let format = ImageFormat(bytes) { _ = exifOrientation(bytes, format) }
                }
            },
            FuzzReader(
                name: "cifar",
                seeds: {
                    try (0...5).flatMap { try fixtures("images/cifar/protocol-\($0)/test_batch") }
                        + fixtures("images/cifar/100/meta")
                }
            ) {
                let batch = try CIFARBatch(Array($0), path: "batch")
                _ = try? batch.integers("labels")
                _ = try? batch.strings("fine_label_names")
                _ = try? batch.byteArray("data", columns: 3072)
            },
        ]
}
