/// One wave's images, preprocessed on other threads while the device works.
struct ImageBatch: Sendable {
    /// Indices in the data's order
    var indices: [Int] = []
    /// Index into the corruptions of a sweep
    var corruption = 0
    /// [images] of [channels, S, S]
    var clean: [[Float]] = []
    /// [images][draws]; one draw where the corruption is not random, or is added on the device
    var corrupted: [[[Float]]] = []
    /// The same for the donor, where there is one
    var donorClean: [[Float]] = []
    var donorCorrupted: [[[Float]]] = []
    /// Another image of the data for each
    var partner: [[Float]] = []

    mutating func append(_ other: ImageBatch, _ i: Int) {
        indices.append(other.indices[i])
        clean.append(other.clean[i])
        corrupted.append(other.corrupted[i])
        if !other.donorClean.isEmpty {
            donorClean.append(other.donorClean[i])
            donorCorrupted.append(other.donorCorrupted[i])
        }
        if !other.partner.isEmpty { partner.append(other.partner[i]) }
    }

    /// Some of the images, by their positions in the batch.
    subscript(_ positions: Range<Int>) -> ImageBatch {
        if positions == indices.indices { return self }
        var some = ImageBatch(corruption: corruption)
        for i in positions { some.append(self, i) }
        return some
    }

    mutating func take(_ count: Int) -> ImageBatch {
        defer { self = self[count..<indices.count] }
        return self[0..<count]
    }
}
