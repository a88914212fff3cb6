/// Instructions that NVIDIA's OpenCL compiler does not know, in a kernel that it compiles.
///
/// The compiler's target is sm_90, which lacks what PTX has for sm_90a alone (wgmma). It returns PTX as a program's
/// binary and takes PTX as one (seen with driver 580.159 on an H200). So such instructions are PTX comments that begin
/// with `//!`, in inline assembly of the source: the compiler keeps them, with registers in place of operands.
enum Retargeting {
    /// The PTX with another target, comments that begin with `//!` turned into instructions; nil if `binary` is not
    /// PTX
    static func ptx(_ binary: [UInt8], target: String) -> [UInt8]? {
        let text = String(decoding: binary, as: UTF8.self)
        guard let directive = text.firstMatch(of: /(?m)^\.target\s+sm_\w+/) else { return nil }
        let (before, after) = (text[..<directive.range.lowerBound], text[directive.range.upperBound...])
        return Array((before + ".target \(target)" + after).replacing("//!", with: "").utf8)
    }
}
