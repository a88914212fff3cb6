/// `pair:DIR`: the image with the same id in another folder. `pair`: the file named by the column `corrupted` of the
/// data's CSV file.
struct PairedImage: CorruptionKind {
    static let name = "pair"
    static let forms = ["pair:DIR"]
    static let example = "pair:DIR"
    static let expected: String? = "a folder"
    static let plain: String? = column
    static func isPath(_ value: String) -> Bool { true }
    /// The value of plain `pair`, which uses the CSV file's column
    private static let column = ""

    private let folder: String
    let stage = Corruption.Stage.source

    init?(value: String) { folder = value }

    var value: String { folder }

    func prepare(_ setting: CorruptionSetting) throws -> CorruptionWork {
        let dataset = setting.dataset, reading = dataset.reading, spec = spec
        let paths = try folder == Self.column ? dataset.corruptedColumn() : dataset.pairedPaths(in: folder)
        return .pixels { draw in
            guard paths.indices.contains(draw.index) else {
                throw ImageError.corruption(
                    spec: spec,
                    reason: "has \(paths.count) partners, and none for image \(draw.index), \(draw.id)")
            }
            return try decodeImage(
                readFile(paths[draw.index]), name: paths[draw.index], reading: reading)
        }
    }
}

extension ImageDataset {
    /// The path in the column `corrupted`, for every image.
    fileprivate func corruptedColumn() throws -> [String] {
        guard case .files(let root) = source, let names = columns["corrupted"] else {
            throw ImageError.corruption(
                spec: "pair", reason: "needs a folder, as in 'pair:DIR', or --data FILE.csv with a column corrupted")
        }
        return try zip(entries, names).map { entry, name in
            guard !name.isEmpty else {
                throw ImageError.dataset(path: self.name, reason: "the column corrupted is empty for \(entry.id)")
            }
            _ = try fileSize(join(root, name))
            return join(root, name)
        }
    }

    /// The path of every image's partner in another folder: the same id, or the id with another image extension in
    /// place of its own (appended if it has none, as in `test_batch.bin:7.png`).
    ///
    /// - Throws: ``ImageError/dataset(path:reason:)`` if one is missing, naming both paths.
    func pairedPaths(in folder: String) throws -> [String] {
        guard isDirectory(folder) else {
            throw ImageError.dataset(path: folder, reason: "there is no such folder")
        }
        var paths: [String] = []
        var missing: [Int] = []
        for (i, entry) in entries.enumerated() {
            if let path = Self.partnerNames(String(entry.id.drop { $0 == "/" })).lazy.map({ join(folder, $0) }).first(
                where: isFile)
            {
                paths.append(path)
            } else {
                missing.append(i)
            }
        }
        if let first = missing.first {
            let others = missing.count == 1 ? "" : " (and \(missing.count - 1) more)"
            throw ImageError.dataset(
                path: join(folder, id(first)),
                reason: "there is no such file, nor one with another image extension, to pair with "
                    + join(name, id(first)) + others)
        }
        return paths
    }

    private static func partnerNames(_ id: String) -> [String] {
        let stem = imageEndings.first { id.lowercased().hasSuffix($0) }.map { String(id.dropLast($0.count)) } ?? id
        return [id] + (imageEndings + imageEndings.map { $0.uppercased() }).map { stem + $0 }
    }
}
