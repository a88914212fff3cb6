/// Philox4x32-10, a counter-based random generator: four random words are a function of a counter and a key.
///
/// Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3. SC 2011.
enum Philox {
    static func block(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
        var c = counter, k = key
        for _ in 0..<10 {
            let a = c[0].multipliedFullWidth(by: 0xD251_1F53)
            let b = c[2].multipliedFullWidth(by: 0xCD9E_8D57)
            c = [b.high ^ c[1] ^ k[0], b.low, a.high ^ c[3] ^ k[1], a.low]
            k &+= [0x9E37_79B9, 0xBB67_AE85]
        }
        return c
    }
}

/// The random numbers of one image: a function of only the seed, the image's id, the sample and the purpose. Batches,
/// shards and the order of images do not change them.
///
/// Philox4x32-10 with the seed as key (low word first). The counter is (block, purpose, c2, c3), where c2 and c3 are
/// the low and the high word of a 64-bit hash of id and sample: FNV-1a over the id's UTF-8 bytes, a byte 0xFF and
/// the sample's 8 bytes, low first; then MurmurHash3's 64-bit finalizer.
package struct RandomKey: Sendable, Equatable {
    /// What the numbers are used for; different purposes never share a counter.
    package enum Purpose: UInt32, Sendable {
        case noise = 0, shuffle, mask, partner, order
    }

    let key: SIMD2<UInt32>
    let counter: SIMD4<UInt32>  // of block 0

    package init(seed: UInt64, imageID: String, sample: Int, purpose: Purpose) {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        for byte in imageID.utf8 { add(byte) }
        add(0xFF)  // occurs in no UTF-8 text
        let sample = UInt64(bitPattern: Int64(sample))
        for shift in stride(from: 0 as UInt64, to: 64, by: 8) { add(UInt8(truncatingIfNeeded: sample >> shift)) }
        hash = (hash ^ hash >> 33) &* 0xFF51_AFD7_ED55_8CCD
        hash = (hash ^ hash >> 33) &* 0xC4CE_B9FE_1A85_EC53
        hash ^= hash >> 33

        key = Self.words(seed)
        let words = Self.words(hash)
        counter = [0, purpose.rawValue, words[0], words[1]]
    }

    private static func words(_ value: UInt64) -> SIMD2<UInt32> {
        [UInt32(truncatingIfNeeded: value), UInt32(truncatingIfNeeded: value >> 32)]
    }

    /// Arguments of the noise kernel for one image: it computes block j from the counter (j, 0, c2, c3) and the key
    /// (k0, k1).
    package static func noiseKey(
        seed: UInt64, imageID: String, sample: Int
    ) -> (k0: UInt32, k1: UInt32, c2: UInt32, c3: UInt32) {
        let of = RandomKey(seed: seed, imageID: imageID, sample: sample, purpose: .noise)
        return (of.key[0], of.key[1], of.counter[2], of.counter[3])
    }

    /// The four words of block j
    func block(_ j: UInt32) -> SIMD4<UInt32> {
        var counter = counter
        counter[0] = j
        return Philox.block(counter: counter, key: key)
    }
}

extension RandomKey {
    /// Another of `count` images, all equally likely; `index` itself if there is no other.
    package static func partner(of index: Int, id: String, count: Int, seed: UInt64, sample: Int) -> Int {
        guard count > 1 else { return index }
        let words = RandomKey(seed: seed, imageID: id, sample: sample, purpose: .partner).block(0)
        let other = Int((UInt64(words[0]) | UInt64(words[1]) << 32) % UInt64(count - 1))
        return other < index ? other : other + 1
    }

    /// A random order of 0..<count, keyed by a name (such as a kind of patch), the draw and the seed.
    package static func order(_ count: Int, of name: String, draw: Int, seed: UInt64) -> [Int] {
        RandomKey(seed: seed, imageID: name, sample: draw, purpose: .order).permutation(count)
    }

    /// A random permutation of 0..<count, the same on every platform and with every Swift version. Fisher-Yates from
    /// the front, so the first k are a uniform choice of k for every k.
    /// - Parameter mayBeIdentity: if false, draws again until some element has moved; ignored if count < 2.
    func permutation(_ count: Int, mayBeIdentity: Bool = true) -> [Int] {
        var words = Words(key: self)
        while true {
            var order = Array(0..<count)
            for i in order.indices { order.swapAt(i, i + words.below(count - i)) }
            if mayBeIdentity || count < 2 || order.indices.contains(where: { order[$0] != $0 }) { return order }
        }
    }

    /// Iterates over the words of block 0, block 1, and so on
    private struct Words {
        let key: RandomKey
        private var next: UInt32 = 0
        private var block: SIMD4<UInt32> = [0, 0, 0, 0]
        private var used = 4

        init(key: RandomKey) { self.key = key }

        mutating func word() -> UInt32 {
            if used == 4 {
                block = key.block(next)
                next &+= 1
                used = 0
            }
            defer { used += 1 }
            return block[used]
        }

        /// A number in 0..<bound from two words, the low one first; its bias is below bound / 2^64.
        mutating func below(_ bound: Int) -> Int {
            let low = UInt64(word())
            let value = UInt64(word()) << 32 | low
            return Int(truncatingIfNeeded: value.multipliedFullWidth(by: UInt64(bound)).high)
        }
    }
}
