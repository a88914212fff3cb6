import Formats

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Images with or without labels: a folder of class subfolders, a folder of images, a CSV file, a CIFAR-10/100 folder,
/// or bytes in memory.
///
/// Holds only names, labels and sizes. Pixels are read and decoded by ``load(_:)``, from any thread.
package struct ImageDataset: Sendable {
    /// The folder's path or the given name, for messages
    package let name: String
    package let classNames: [String]
    var entries: [Entry]
    let source: Source
    /// Notes on files that were left out, one sentence each
    package private(set) var notes: [String] = []
    /// Further columns of a CSV file by name, one value for each image
    package private(set) var columns: [String: CSV.Column] = [:]
    /// How its files are read
    package var reading = ImageReading()
    /// Called with an image's id and the error when a mean over all images skips it; if nil, the error is thrown
    package var onUnreadable: (@Sendable (String, ImageError) -> Void)?

    struct Entry: Sendable {
        let id: String
        /// nil where the image has no label
        let classIndex: Int?
        let bytes: Int  // of the file or record; negative where the file is missing
    }

    enum Source: Sendable {
        /// Entry i is the file `root/id`.
        case files(root: String)
        /// Entry i is a record of [3, 32, 32] bytes; records are numbered through the files in order.
        case records([RecordFile])
        /// [N, height, width, 3]
        case memory(width: Int, height: Int, pixels: [UInt8])
    }

    /// Opens a folder or a CSV file. A CIFAR folder, or a folder with an unpacked CIFAR archive in it, is recognised by
    /// its file names. Any other folder is read as class subfolders, or, if it has none, as images without labels.
    ///
    /// Class subfolders: files with an image extension (any case), at any depth. Links are followed; hidden and other
    /// files are left out. The order is the first file of every class, then the second of every class, and so on; paths
    /// are compared by code point. Ids are paths relative to the root.
    ///
    /// CSV: columns `image` (or `file_name`; paths relative to the CSV file) and `label` (a name or an index; may be
    /// empty or absent). Other columns are kept in ``columns``. The order is the file's; ids are the paths as written.
    ///
    /// CIFAR, binary or python version: the test batch if present, otherwise the training batches, in file order.
    ///
    /// - Parameter allowsMissing: whether files listed in a CSV file may be missing
    /// - Throws: ``ImageError/dataset(path:reason:)``
    package init(path: String, allowsMissing: Bool = false) throws {
        if isDirectory(path) {
            if let cifar = try Self.cifar(path) ?? Self.cifarArchive(in: path) {
                self = cifar
            } else {
                self = try Self.classFolders(path)
            }
            return
        }
        guard FileManager.default.fileExists(atPath: path) else {
            throw ImageError.dataset(path: path, reason: "there is no such file or folder")
        }
        guard path.lowercased().hasSuffix(".csv") else {
            throw ImageError.dataset(path: path, reason: "it is a file, expected a folder or a CSV file")
        }
        self = try Self.csv(path, allowsMissing: allowsMissing)
    }

    /// Images of one size in memory.
    /// - Parameters:
    ///   - ids: [N]
    ///   - labels: [N], indices into `classNames`
    ///   - pixels: [N, height, width, 3]
    /// - Throws: ``ImageError/dataset(path:reason:)`` if the counts do not match.
    package init(
        name: String, classNames: [String], ids: [String], labels: [Int], width: Int, height: Int,
        pixels: some ContiguousBytes
    ) throws {
        let bytes = pixels.withUnsafeBytes { Array($0) }
        guard let size = pixelCount(width, height), ids.count == labels.count,
            bytes.count / (size * 3) == ids.count,
            bytes.count % (size * 3) == 0, labels.allSatisfy(classNames.indices.contains)
        else {
            throw ImageError.dataset(
                path: name,
                reason:
                    "\(ids.count) ids, \(labels.count) labels among \(classNames.count) classes and \(bytes.count) bytes "
                    + "do not make images of \(width) x \(height) pixels")
        }
        let entries = zip(ids, labels).map { Entry(id: $0, classIndex: $1, bytes: size * 3) }
        self.init(
            name: name, classNames: classNames, entries: entries,
            source: .memory(width: width, height: height, pixels: bytes))
    }

    init(
        name: String, classNames: [String], entries: [Entry], source: Source, notes: [String] = [],
        columns: [String: CSV.Column] = [:]
    ) {
        (self.notes, self.columns) = (notes, columns)
        self.name = name
        self.classNames = classNames
        self.entries = entries
        self.source = source
    }

    package var count: Int { entries.count }
    package func id(_ i: Int) -> String { entries[i].id }
    /// Index into ``classNames``; nil where the image has no label
    package func classIndex(_ i: Int) -> Int? { entries[i].classIndex }
    /// Whether every image has a label
    package var isLabelled: Bool { entries.allSatisfy { $0.classIndex != nil } }

    /// Reads and decodes image i.
    /// - Throws: ``ImageError``, naming the file.
    package func load(_ i: Int) throws -> RGBImage {
        switch source {
        case .files(let root):
            let path = join(root, entries[i].id)  // a CSV file may give absolute paths
            return try decodeImage(readFile(path), name: path, reading: reading)
        case .records(let files):
            return try loadRecord(i, files)
        case .memory(let width, let height, let pixels):
            let size = width * height * 3
            return RGBImage(unchecked: width, height, Array(pixels[i * size..<(i + 1) * size]))
        }
    }

    /// Identifies the data set without reading pixels: the class names, then id, class index and size in bytes of every
    /// image, one per line, in order.
    package var fingerprintInput: String {
        var text = ""
        for name in classNames { text += "\(name)\n" }
        for entry in entries { text += "\(entry.id)\t\(entry.classIndex.map(String.init) ?? "")\t\(entry.bytes)\n" }
        return text
    }
}

/// Compares by Unicode scalars, in the order of the UTF-8 bytes; Swift's own < uses canonical equivalence.
func precedes(_ a: String, _ b: String) -> Bool {
    a.utf8.lexicographicallyPrecedes(b.utf8)
}

/// `name` in `folder`; an absolute `name` unchanged.
func join(_ folder: String, _ name: String) -> String {
    if name.hasPrefix("/") { return name }
    return folder.hasSuffix("/") ? folder + name : folder + "/" + name
}
