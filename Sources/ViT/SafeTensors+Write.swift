import Foundation

extension SafeTensors {
    /// The header of a file of F32 arrays, which can be written before the values are known.
    package struct Header: Sendable {
        /// Header length and JSON, padded so that values start at a multiple of 8
        package let bytes: [UInt8]
        /// Byte offset of each array in the file
        package let offsets: [String: Int]
        /// Bytes of the whole file
        package let size: Int

        /// - Parameter arrays: names and shapes, in file order
        package init(arrays: [(name: String, shape: [Int])], metadata: [String: String]) throws {
            var begins: [String: Int] = [:], end = 0
            var members = ["\"__metadata__\":" + (try Self.json(metadata))]
            for (name, shape) in arrays {
                let count = shape.reduce(MemoryLayout<Float>.size, *)
                members.append(
                    "\(try Self.json(name)):{\"dtype\":\"F32\",\"shape\":\(try Self.json(shape)),"
                        + "\"data_offsets\":[\(end),\(end + count)]}")
                begins[name] = end
                end += count
            }
            var text = Array("{\(members.joined(separator: ","))}".utf8)
            text += Array(repeating: UInt8(ascii: " "), count: (8 - text.count % 8) % 8)
            bytes = (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) } + text
            let start = bytes.count
            offsets = begins.mapValues { $0 + start }
            size = start + end
        }

        private static func json(_ value: some Encodable) throws -> String {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(value), as: UTF8.self)
        }
    }
}
