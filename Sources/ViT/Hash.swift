import CCrypto
import Foundation

/// SHA-256 of the concatenated chunks as 64 hex digits, as `cat a b | sha256sum` prints it. Nothing is copied; nil only
/// if libcrypto cannot compute the digest.
package func sha256Hex(_ chunks: [Data]) -> String? {
    sha256Hex { update in for chunk in chunks { update(chunk) } }
}

/// The same for the chunks that `feed` passes on, in order.
func sha256Hex(_ feed: ((Data) -> Void) -> Void) -> String? {
    guard let context = EVP_MD_CTX_new() else { return nil }
    defer { EVP_MD_CTX_free(context) }
    guard EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else { return nil }
    var isSound = true
    feed { chunk in
        let status = chunk.withUnsafeBytes { EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
        isSound = isSound && status == 1
    }
    guard isSound else { return nil }
    var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    var length: UInt32 = 0
    guard EVP_DigestFinal_ex(context, &digest, &length) == 1 else { return nil }
    let digits = Array("0123456789abcdef".utf8)
    return String(
        decoding: digest.prefix(Int(length)).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] },
        as: UTF8.self)
}
