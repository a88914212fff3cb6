import Formats
import Foundation

/// A safetensors file: 8 bytes of little-endian header length, a JSON header, the tensors' bytes.
///
/// The whole header is checked when the file is opened, by the rules of the reference implementation
/// (huggingface/safetensors, `Metadata::validate`): tensors follow each other from the first byte after the header to
/// the last of the file, without holes or overlaps, each as long as its shape and type require. The bytes stay in the
/// file (mapped) until a tensor is read. A duplicate name leaves either a hole or the same tensor, so it needs no check
/// of its own.
package struct SafeTensors: Sendable {
    /// Element types of the format that are whole bytes.
    package enum DType: String, Sendable, CaseIterable {
        case bool = "BOOL"
        case u8 = "U8"
        case i8 = "I8"
        case f8e5m2 = "F8_E5M2"
        case f8e4m3 = "F8_E4M3"
        case f8e8m0 = "F8_E8M0"
        case i16 = "I16"
        case u16 = "U16"
        case f16 = "F16"
        case bf16 = "BF16"
        case i32 = "I32"
        case u32 = "U32"
        case f32 = "F32"
        case i64 = "I64"
        case u64 = "U64"
        case f64 = "F64"
        case c64 = "C64"

        /// Bytes in one element
        package var size: Int {
            switch self {
            case .bool, .u8, .i8, .f8e5m2, .f8e4m3, .f8e8m0: 1
            case .i16, .u16, .f16, .bf16: 2
            case .i32, .u32, .f32: 4
            case .i64, .u64, .f64, .c64: 8
            }
        }
    }

    /// The header's entry for one tensor.
    package struct Info: Sendable, Equatable {
        package let dtype: DType
        package let shape: [Int]
        /// Elements; the product of `shape`
        package let count: Int
        /// Bytes of the tensor, counted from the start of the file's data
        package let range: Range<Int>
    }

    /// The file's name, for messages
    package let name: String
    /// Every tensor by name
    package let tensors: [String: Info]
    /// The header's `__metadata__`; empty where it has none
    package let metadata: [String: String]
    /// The whole file
    package let data: Data
    /// The mapping behind `data`, if it is mapped
    private let mapping: MappedFile?
    private let dataStart: Int

    /// Largest header the format allows, in bytes.
    static let headerLimit = 100_000_000

    /// Tensor names, sorted
    package var names: [String] { tensors.keys.sorted() }

    /// Opens and checks the file at `path`. It is mapped, so it must not be truncated while in use (`MappedFile`).
    package init(path: String) throws(CheckpointError) {
        let file = try MappedFile(path: path)
        try self.init(data: file.data, mapping: file, name: path)
    }

    /// Checks a file that is already in memory; `name` is used in messages.
    package init(data: Data, name: String) throws(CheckpointError) {
        try self.init(data: data, mapping: nil, name: name)
    }

    private init(data: Data, mapping: MappedFile?, name: String) throws(CheckpointError) {
        func malformed(_ reason: String) -> CheckpointError { .header(file: name, reason: reason) }
        guard data.count >= 8 else {
            throw malformed("not a safetensors file: \(data.count) bytes, shorter than the 8 of its header length")
        }
        let declared = data.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard declared <= UInt64(Self.headerLimit) else {
            throw malformed("header length \(declared) is over the format's limit of \(Self.headerLimit) bytes")
        }
        let length = Int(declared)
        guard length <= data.count - 8 else {
            throw malformed(
                "header length \(length) is larger than what follows it in the file, \(data.count - 8) bytes")
        }
        let header = data.dropFirst(8).prefix(length)
        let notJSON = malformed("the header is not a JSON object in UTF-8")
        guard header.first == UInt8(ascii: "{") else { throw notJSON }
        var metadata: [String: String] = [:]
        var tensors: [String: Info] = [:]
        do {
            try JSONReader.read(header) { reader in
                // Entry by entry, so that only one at a time is in memory as JSON.
                try reader.members { key, reader in
                    let entry = try reader.value()
                    if key != "__metadata__" {
                        tensors[key] = try Self.info(of: entry, tensor: key, file: name)
                        return
                    }
                    let members = entry.object ?? [:]
                    metadata = members.compactMapValues(\.string)
                    guard entry.object != nil, metadata.count == members.count else {
                        throw malformed("__metadata__ is not an object of strings")
                    }
                }
            }
        } catch let error as CheckpointError {
            throw error
        } catch {
            throw notJSON
        }
        var end = 0
        for (tensor, info) in tensors.sorted(by: { Self.layoutOrder($0.value, $1.value) }) {
            guard info.range.lowerBound == end else {
                let fault = info.range.lowerBound < end ? "overlaps the one before it" : "leaves a hole before it"
                throw CheckpointError.tensor(
                    name: tensor, file: name,
                    reason: "data_offsets [\(info.range.lowerBound), \(info.range.upperBound)] \(fault), "
                        + "which ends at \(end)")
            }
            end = info.range.upperBound
        }
        guard end == data.count - 8 - length else {
            throw malformed(
                "the tensors take \(end) bytes, the file has \(data.count - 8 - length) after its header")
        }

        self.name = name
        self.tensors = tensors
        self.metadata = metadata
        self.data = data
        self.mapping = mapping
        self.dataStart = 8 + length
    }

    /// Type, shape and bytes of a tensor as stored (little-endian, row-major). The slice is not a copy and keeps
    /// the indices of `data`.
    package func bytes(_ tensor: String) throws(CheckpointError) -> (dtype: DType, shape: [Int], data: Data) {
        guard let info = tensors[tensor] else {
            throw CheckpointError.tensor(name: tensor, file: name, reason: "the file does not have it")
        }
        let start = data.startIndex + dataStart
        return (info.dtype, info.shape, data[start + info.range.lowerBound..<start + info.range.upperBound])
    }

    /// A tensor that can be read as Float.
    ///
    /// - Parameter shape: the shape the tensor must have.
    /// - Throws: `CheckpointError.tensor` where it is absent or has another shape or type.
    package func tensor(_ tensor: String, shape: [Int]) throws(CheckpointError) -> StoredTensor {
        let (dtype, found, bytes) = try bytes(tensor)
        guard found == shape else {
            throw CheckpointError.tensor(
                name: tensor, file: name, reason: "expected shape \(shape), found \(shapeText(found))")
        }
        guard let stored = StoredTensor(dtype: dtype, bytes: bytes, file: mapping) else {
            throw CheckpointError.tensor(
                name: tensor, file: name, reason: "expected type F32, F16, BF16 or F64, found \(dtype.rawValue)")
        }
        return stored
    }

    /// SHA-256 of the whole file in hex; nil only if libcrypto cannot give it
    package var sha256: String? { sha256Hex { update in forEachPiece(update) } }

    func forEachPiece(_ body: (Data) -> Void) {
        if let mapping { mapping.forEachPiece(body) } else { body(data) }
    }

    /// File order; empty tensors come before others that start at the same byte.
    private static func layoutOrder(_ a: Info, _ b: Info) -> Bool {
        (a.range.lowerBound, a.range.upperBound) < (b.range.lowerBound, b.range.upperBound)
    }

    private static func info(of entry: JSON, tensor: String, file: String) throws(CheckpointError) -> Info {
        func malformed(_ reason: String) -> CheckpointError { .tensor(name: tensor, file: file, reason: reason) }
        guard let members = entry.object else { throw malformed("its header entry is not an object") }
        guard let code = members["dtype"]?.string else { throw malformed("its header entry has no dtype") }
        guard let dtype = DType(rawValue: code) else { throw malformed("unknown dtype \(printable(code))") }
        guard let shape = members["shape"]?.ints, shape.allSatisfy({ $0 >= 0 }) else {
            throw malformed("shape is not a list of whole numbers that are 0 or more")
        }
        guard let offsets = members["data_offsets"]?.ints, offsets.count == 2, offsets[0] >= 0,
            offsets[0] <= offsets[1]
        else {
            throw malformed("data_offsets is not a pair [begin, end] with 0 <= begin <= end")
        }
        var size = dtype.size
        for extent in shape {
            let (product, overflow) = size.multipliedReportingOverflow(by: extent)
            guard !overflow else { throw malformed("shape \(shapeText(shape)) has too many elements") }
            size = product
        }
        guard size == offsets[1] - offsets[0] else {
            throw malformed(
                "shape \(shapeText(shape)) of \(code) takes \(size) bytes, "
                    + "data_offsets give \(offsets[1] - offsets[0])"
            )
        }
        return Info(dtype: dtype, shape: shape, count: size / dtype.size, range: offsets[0]..<offsets[1])
    }
}

/// A shape from a file, for messages; a header can list any number of dimensions.
func shapeText(_ shape: [Int]) -> String {
    shape.count <= 8 ? "\(shape)" : "of \(shape.count) dimensions"
}
