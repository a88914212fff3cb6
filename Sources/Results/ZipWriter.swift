import CZlib

/// A ZIP archive of uncompressed entries, written from front to back (PKWARE's APPNOTE.TXT 6.3, method 0; zip64 where
/// sizes need it). It has only what an .npz file needs, as numpy's savez writes it.
struct ZipWriter {
    private struct Entry {
        var name: [UInt8]
        var crc: UInt32
        var size: UInt64
        var offset: UInt64
    }
    private var entries: [Entry] = []
    private var position: UInt64 = 0
    /// Sizes and offsets of at least this take 64 bits
    private let large: UInt64
    private let sink: ([UInt8]) throws -> Void

    init(large: UInt64 = 0xFFFF_FFFF, into sink: @escaping ([UInt8]) throws -> Void) {
        self.large = large
        self.sink = sink
    }

    /// Adds an entry. Its checksum precedes its bytes, so `bytes` is run twice and must give the same both times. In
    /// return the archive can be written to a pipe, and can be read from its local headers alone.
    mutating func add(_ name: String, _ bytes: (_ sink: ([UInt8]) throws -> Void) throws -> Void) throws {
        var entry = Entry(name: Array(name.utf8), crc: 0, size: 0, offset: position)
        var crc = crc32(0, nil, 0)
        try bytes { piece in
            crc = piece.withUnsafeBufferPointer { crc32_z(crc, $0.baseAddress, $0.count) }
            entry.size += UInt64(piece.count)
        }
        entry.crc = UInt32(truncatingIfNeeded: crc)
        try write(localHeader(entry))
        let start = position
        try bytes { try write($0) }
        guard position - start == entry.size else {
            throw ResultsError.failed(action: "write", path: name, detail: "the results changed while they were read")
        }
        entries.append(entry)
    }

    mutating func finish() throws {
        let start = position
        for entry in entries { try write(centralHeader(entry)) }
        let size = position - start
        let count = UInt64(entries.count)
        if start >= large || size >= large || count >= 0xFFFF {
            let record = position
            var out: [UInt8] = []
            out.little(UInt32(0x0606_4B50))
            out.little(UInt64(44))  // the rest of this record
            out.little(UInt16(45))
            out.little(UInt16(45))
            out.little(UInt32(0))
            out.little(UInt32(0))
            for value in [count, count, size, start] { out.little(value) }
            out.little(UInt32(0x0706_4B50))
            out.little(UInt32(0))
            out.little(record)
            out.little(UInt32(1))
            try write(out)
        }
        var out: [UInt8] = []
        out.little(UInt32(0x0605_4B50))
        out.little(UInt32(0))
        for _ in 0..<2 { out.little(UInt16(min(count, 0xFFFF))) }
        out.little(size >= large ? 0xFFFF_FFFF : UInt32(size))
        out.little(start >= large ? 0xFFFF_FFFF : UInt32(start))
        out.little(UInt16(0))
        try write(out)
    }

    private mutating func write(_ bytes: [UInt8]) throws {
        try sink(bytes)
        position += UInt64(bytes.count)
    }

    private func localHeader(_ entry: Entry) -> [UInt8] {
        let isLarge = entry.size >= large
        var out: [UInt8] = []
        out.little(UInt32(0x0403_4B50))
        common(entry, isLarge: isLarge, into: &out)
        out.little(UInt16(entry.name.count))
        out.little(UInt16(isLarge ? 20 : 0))
        out += entry.name
        if isLarge { extra([entry.size, entry.size], into: &out) }
        return out
    }

    private func centralHeader(_ entry: Entry) -> [UInt8] {
        let isLarge = entry.size >= large
        let values = (isLarge ? [entry.size, entry.size] : []) + (entry.offset >= large ? [entry.offset] : [])
        var out: [UInt8] = []
        out.little(UInt32(0x0201_4B50))
        out.little(UInt16(3 << 8 | 45))  // made on Unix
        common(entry, isLarge: isLarge || entry.offset >= large, sizesAreLarge: isLarge, into: &out)
        out.little(UInt16(entry.name.count))
        out.little(UInt16(values.isEmpty ? 0 : 4 + 8 * values.count))
        out.little(UInt16(0))
        out.little(UInt16(0))
        out.little(UInt16(0))
        out.little(UInt32(0o100644) << 16)
        out.little(entry.offset >= large ? 0xFFFF_FFFF : UInt32(entry.offset))
        out += entry.name
        if !values.isEmpty { extra(values, into: &out) }
        return out
    }

    /// Version, flags (UTF-8 names), method, 1980-01-01 (so that equal results are equal files), checksum, sizes.
    private func common(_ entry: Entry, isLarge: Bool, sizesAreLarge: Bool? = nil, into out: inout [UInt8]) {
        out.little(UInt16(isLarge ? 45 : 20))
        out.little(UInt16(1 << 11))
        out.little(UInt16(0))
        out.little(UInt16(0))
        out.little(UInt16(1 << 5 | 1))
        out.little(entry.crc)
        for _ in 0..<2 { out.little(sizesAreLarge ?? isLarge ? 0xFFFF_FFFF : UInt32(entry.size)) }
    }

    private func extra(_ values: [UInt64], into out: inout [UInt8]) {
        out.little(UInt16(1))
        out.little(UInt16(8 * values.count))
        for value in values { out.little(value) }
    }
}

extension [UInt8] {
    mutating func little(_ value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }
}
