/// `grayscale`: ITU-R 601-2 luma in all three channels
struct Grayscale: CorruptionKind {
    static let name = "grayscale"
    let stage = Corruption.Stage.source

    init?(value: String) {}

    func prepare(_ setting: CorruptionSetting) throws -> CorruptionWork { .pixels { $0.image.grayscale() } }
}

extension RGBImage {
    /// ITU-R 601-2 luma copied to three channels: the bytes of Pillow's `convert("L").convert("RGB")`.
    package func grayscale() -> RGBImage {
        let count = pixels.count
        let gray = [UInt8](unsafeUninitializedCapacity: count) { out, filled in
            pixels.withUnsafeBufferPointer { source in
                for i in stride(from: 0, to: count, by: 3) {
                    let r = UInt32(source[i]), g = UInt32(source[i + 1]), b = UInt32(source[i + 2])
                    // The weights sum to 65536, so this is at most 255.
                    let luma = UInt8(truncatingIfNeeded: (19595 &* r &+ 38470 &* g &+ 7471 &* b &+ 0x8000) >> 16)
                    out[i] = luma
                    out[i + 1] = luma
                    out[i + 2] = luma
                }
            }
            filled = count
        }
        return RGBImage(unchecked: width, height, gray)
    }
}
