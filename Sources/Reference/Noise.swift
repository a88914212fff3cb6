#if canImport(Glibc)
    import Glibc
#else
    import Foundation
#endif

/// Standard normal values j = 0, 1, ...: value j is element j % 4 of block j / 4.
///
/// Block b comes from the four words x of Philox4x32-10 with counter (b, 0, c2, c3) and key (k0, k1), as
/// u = (x + 1/2) / 2^32, by Box-Muller: r = sqrt(-2 ln u0), then r cos(2 pi u1) and r sin(2 pi u1); the same with u2
/// and u3.
package func referenceNormals(k0: UInt32, k1: UInt32, c2: UInt32, c3: UInt32, count: Int) -> [Double] {
    precondition(count >= 0)
    var normals: [Double] = []
    var block: UInt32 = 0
    while normals.count < count {
        let u = philox4x32(counter: [block, 0, c2, c3], key: [k0, k1]).map { (Double($0) + 0.5) / 4_294_967_296 }
        for pair in [0, 2] {
            let radius = sqrt(-2 * log(u[pair])), angle = 2 * Double.pi * u[pair + 1]
            normals += [radius * cos(angle), radius * sin(angle)]
        }
        block += 1
    }
    return Array(normals.prefix(count))
}

/// Philox4x32-10 of Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3. SC 2011.
func philox4x32(counter: [UInt32], key: [UInt32]) -> [UInt32] {
    var c = counter.map(UInt64.init), k = key
    for _ in 0..<10 {
        let a = c[0] * 0xD251_1F53, b = c[2] * 0xCD9E_8D57
        let low: UInt64 = 0xFFFF_FFFF
        c = [b >> 32 ^ c[1] ^ UInt64(k[0]), b & low, a >> 32 ^ c[3] ^ UInt64(k[1]), a & low]
        k = [k[0] &+ 0x9E37_79B9, k[1] &+ 0xBB67_AE85]
    }
    return c.map(UInt32.init)
}
