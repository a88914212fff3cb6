import Foundation

/// Locations of the members of a ZIP archive that stores them uncompressed, as torch.save does; ZIP64 included.
///
/// Compressed or encrypted members are refused, as is everything that does not lie within the file.
struct ZipDirectory {
    struct Malformed: Error {
        let reason: String
    }

    /// Byte ranges, from the start of `data`
    let members: [String: Range<Int>]

    static func isZip(_ data: Data) -> Bool { data.starts(with: [0x50, 0x4b, 0x03, 0x04]) }

    init(_ data: Data) throws(Malformed) {
        let bytes = Bytes(data: data)
        var (count, offset) = try bytes.directory()
        var members: [String: Range<Int>] = [:]
        while count > 0 {
            guard try bytes.number(offset, 4) == 0x0201_4b50 else {
                throw Malformed(reason: "its directory is damaged")
            }
            let nameLength = try bytes.number(offset + 28, 2), extraLength = try bytes.number(offset + 30, 2)
            let commentLength = try bytes.number(offset + 32, 2)
            let name = String(decoding: try bytes.slice(offset + 46, nameLength), as: UTF8.self)
            func damaged(_ what: String) -> Malformed { Malformed(reason: "its member \(printable(name)) \(what)") }
            guard try bytes.number(offset + 8, 2) & 1 == 0 else { throw damaged("is encrypted") }
            guard try bytes.number(offset + 10, 2) == 0 else { throw damaged("is compressed") }
            // Both sizes and the local header's offset; 2^32 - 1 where the value is in the ZIP64 extra field.
            var values = [
                try bytes.number(offset + 24, 4), try bytes.number(offset + 20, 4), try bytes.number(offset + 42, 4),
            ]
            if values.contains(0xffff_ffff) {
                var field = try bytes.zip64(offset + 46 + nameLength, extraLength)
                for i in values.indices where values[i] == 0xffff_ffff {
                    guard field.count >= 8 else { throw damaged("has no size") }
                    values[i] = try bytes.number(field.lowerBound, 8)
                    field = field.lowerBound + 8..<field.upperBound
                }
            }
            guard values[0] == values[1] else { throw damaged("is compressed") }
            let local = values[2]
            guard try bytes.number(local, 4) == 0x0403_4b50 else { throw damaged("is not where the directory says") }
            let (afterName, afterExtra) = (try bytes.number(local + 26, 2), try bytes.number(local + 28, 2))
            let start = local + 30 + afterName + afterExtra
            guard start <= data.count, values[0] <= data.count - start else { throw damaged("goes past the end") }
            guard members.updateValue(start..<start + values[0], forKey: name) == nil else {
                throw damaged("appears twice")
            }
            offset += 46 + nameLength + extraLength + commentLength
            count -= 1
        }
        self.members = members
    }

    /// Reads within the bounds of the file.
    private struct Bytes {
        let data: Data

        func slice(_ offset: Int, _ count: Int) throws(Malformed) -> Data {
            guard offset >= 0, count >= 0, offset <= data.count, count <= data.count - offset else {
                throw Malformed(reason: "its directory is damaged")
            }
            return data[data.startIndex + offset..<data.startIndex + offset + count]
        }

        /// Little-endian; below 2^60, so that sums of a few do not overflow
        func number(_ offset: Int, _ count: Int) throws(Malformed) -> Int {
            let value = try slice(offset, count).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            guard value < 1 << 60 else { throw Malformed(reason: "its directory is damaged") }
            return Int(value)
        }

        /// Number of members and offset of the first directory entry
        func directory() throws(Malformed) -> (count: Int, offset: Int) {
            // The end record has 22 bytes, and a comment of up to 65535 may follow it.
            let tail = try slice(max(0, data.count - 22 - 65535), min(data.count, 22 + 65535))
            let signature = Data([0x50, 0x4b, 0x05, 0x06])
            guard let found = tail.range(of: signature, options: .backwards) else {
                throw Malformed(reason: "it is not a whole ZIP archive: its end is missing")
            }
            let end = found.lowerBound - data.startIndex
            let count = try number(end + 10, 2), offset = try number(end + 16, 4)
            guard count == 0xffff || offset == 0xffff_ffff || (try? number(end - 20, 4)) == 0x0706_4b50 else {
                return (count, offset)
            }
            guard try number(end - 20, 4) == 0x0706_4b50 else { return (count, offset) }
            let wide = try number(end - 12, 8)
            guard try number(wide, 4) == 0x0606_4b50 else { throw Malformed(reason: "its directory is damaged") }
            return (try number(wide + 32, 8), try number(wide + 48, 8))
        }

        /// Range of the ZIP64 field among a member's extra fields
        func zip64(_ start: Int, _ length: Int) throws(Malformed) -> Range<Int> {
            var offset = start
            while offset + 4 <= start + length {
                let kind = try number(offset, 2), size = try number(offset + 2, 2)
                if kind == 1, offset + 4 + size <= start + length { return offset + 4..<offset + 4 + size }
                offset += 4 + size
            }
            return start..<start
        }
    }
}
