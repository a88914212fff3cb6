private let side = 32
private let pixelBytes = 3 * side * side

/// A file of CIFAR records; record i's pixels, [3, 32, 32], start at `start + i * stride`.
struct RecordFile: Sendable {
    let path: String
    let start: Int
    let stride: Int
    let count: Int
    /// The records' pixels, [N, 3, 32, 32], if the file holds them as escaped text
    var memory: [UInt8]?
}

/// The four layouts that are read: CIFAR-10 and CIFAR-100, each in the binary or the python version.
private struct Layout {
    let test: String
    let training: [String]
    let nameFile: String
    let nameKey: String  // in the python version's nameFile
    let labelKey: String  // in the python version's batches
    let labelBytes: Int  // before each binary record's pixels; the last one is the label
    let binary: Bool
    let fallbackNames: [String]?

    static let all = [
        Layout(
            test: "test_batch.bin", training: (1...5).map { "data_batch_\($0).bin" }, nameFile: "batches.meta.txt",
            nameKey: "", labelKey: "", labelBytes: 1, binary: true, fallbackNames: cifar10Names),
        Layout(
            test: "test.bin", training: ["train.bin"], nameFile: "fine_label_names.txt",
            nameKey: "", labelKey: "", labelBytes: 2, binary: true, fallbackNames: nil),
        Layout(
            test: "test_batch", training: (1...5).map { "data_batch_\($0)" }, nameFile: "batches.meta",
            nameKey: "label_names", labelKey: "labels", labelBytes: 0, binary: false, fallbackNames: cifar10Names),
        Layout(
            test: "test", training: ["train"], nameFile: "meta",
            nameKey: "fine_label_names", labelKey: "fine_labels", labelBytes: 0, binary: false, fallbackNames: nil),
    ]

    static let cifar10Names = [
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    ]
}

extension ImageDataset {
    /// The data set, if the folder has CIFAR's files; otherwise nil.
    static func cifar(_ root: String) throws -> ImageDataset? {
        for layout in Layout.all {
            let files =
                isFile(join(root, layout.test))
                ? [layout.test] : layout.training.filter { isFile(join(root, $0)) }
            guard !files.isEmpty else { continue }
            let classNames = try layout.classNames(root)
            var entries: [Entry] = []
            var records: [RecordFile] = []
            for file in files {
                let path = join(root, file)
                let (record, labels) = try layout.open(path)
                for (i, label) in labels.enumerated() {
                    guard classNames.indices.contains(label) else {
                        throw ImageError.dataset(
                            path: path,
                            reason: "record \(i) has label \(label), expected less than \(classNames.count)")
                    }
                    entries.append(Entry(id: "\(file):\(i)", classIndex: label, bytes: pixelBytes))
                }
                records.append(record)
            }
            return ImageDataset(name: root, classNames: classNames, entries: entries, source: .records(records))
        }
        return nil
    }

    /// The data set in the folder that a CIFAR archive unpacks to, if `root` holds one; the first found is used.
    static func cifarArchive(in root: String) throws -> ImageDataset? {
        for name in ["cifar-10-batches-bin", "cifar-10-batches-py", "cifar-100-binary", "cifar-100-python"] {
            if isDirectory(join(root, name)), let data = try cifar(join(root, name)) { return data }
        }
        return nil
    }

    func loadRecord(_ i: Int, _ files: [RecordFile]) throws -> RGBImage {
        var i = i
        for file in files {
            if i >= file.count {
                i -= file.count
                continue
            }
            let start = file.start + i * file.stride
            let planes =
                try file.memory.map { Array($0[start..<start + pixelBytes]) }
                ?? readFile(file.path, offset: start, count: pixelBytes)
            let plane = side * side
            var pixels = [UInt8](repeating: 0, count: pixelBytes)
            for c in 0..<3 {
                for p in 0..<plane { pixels[p * 3 + c] = planes[c * plane + p] }
            }
            return RGBImage(unchecked: side, side, pixels)
        }
        throw ImageError.dataset(path: name, reason: "there is no image \(i)")
    }
}

extension Layout {
    fileprivate func classNames(_ root: String) throws -> [String] {
        let path = join(root, nameFile)
        if !isFile(path), let fallbackNames { return fallbackNames }
        let bytes = try readFile(path)
        let names: [String]
        if binary {
            names = bytes.split { $0 == 10 || $0 == 13 }.map { String(decoding: $0, as: UTF8.self) }
        } else {
            names = try CIFARBatch(bytes, path: path).strings(nameKey)
        }
        guard !names.isEmpty else { throw ImageError.dataset(path: path, reason: "it holds no class names") }
        return names
    }

    /// Checks one batch and reads its labels, [N].
    fileprivate func open(_ path: String) throws -> (RecordFile, labels: [Int]) {
        let bytes = try readFile(path)
        if binary {
            let stride = labelBytes + pixelBytes
            guard bytes.count % stride == 0, !bytes.isEmpty else {
                throw ImageError.dataset(
                    path: path, reason: "it has \(bytes.count) bytes, expected a multiple of \(stride)")
            }
            let count = bytes.count / stride
            let labels = (0..<count).map { Int(bytes[$0 * stride + labelBytes - 1]) }
            return (RecordFile(path: path, start: labelBytes, stride: stride, count: count), labels)
        }
        let batch = try CIFARBatch(bytes, path: path)
        let labels = try batch.integers(labelKey)
        let count: Int, file: RecordFile
        switch try batch.byteArray("data", columns: pixelBytes) {
        case .range(let range):
            count = range.count / pixelBytes
            file = RecordFile(path: path, start: range.lowerBound, stride: pixelBytes, count: count)
        case .bytes(let bytes):
            count = bytes.count / pixelBytes
            file = RecordFile(path: path, start: 0, stride: pixelBytes, count: count, memory: bytes)
        }
        guard labels.count == count else {
            throw ImageError.dataset(path: path, reason: "it has \(labels.count) labels for \(count) images")
        }
        return (file, labels)
    }
}
