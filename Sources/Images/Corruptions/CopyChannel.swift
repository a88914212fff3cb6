/// `channel:r|g|b`: one channel copied to all three
struct CopyChannel: CorruptionKind {
    static let name = "channel"
    static let forms = ["channel:r|g|b"]
    static let example = "channel:r"
    static let expected: String? = "r, g or b"

    let value: String
    private let channel: Int
    let stage = Corruption.Stage.source

    init?(value: String) {
        guard let channel = ["r", "g", "b"].firstIndex(of: value) else { return nil }
        (self.value, self.channel) = (value, channel)
    }

    func prepare(_ setting: CorruptionSetting) throws -> CorruptionWork {
        .pixels { [channel] in $0.image.copying(channel: channel) }
    }
}

extension RGBImage {
    /// Channel 0, 1 or 2 copied to all three
    func copying(channel: Int) -> RGBImage {
        var copies = pixels
        for i in stride(from: 0, to: copies.count, by: 3) {
            let value = pixels[i + channel]
            for c in 0..<3 { copies[i + c] = value }
        }
        return RGBImage(unchecked: width, height, copies)
    }
}
