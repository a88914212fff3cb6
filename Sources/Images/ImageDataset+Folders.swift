#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension ImageDataset {
    static func classFolders(_ root: String) throws -> ImageDataset {
        var classNames: [String] = []
        var files: [[String]] = []  // per class, under its folder
        var others = 0  // files that are not images
        var loose: [String] = []  // images outside class folders
        for name in try names(in: root) {
            let folder = join(root, name)
            guard isDirectory(folder) else {
                if isImageName(name) { loose.append(name) } else { others += 1 }
                continue
            }
            var images: [String] = []
            try collect(in: folder, under: "", depth: 0, images: &images, others: &others)
            guard !images.isEmpty else {
                throw ImageError.dataset(
                    path: folder, reason: "the class folder holds no image (\(imageEndings.joined(separator: ", ")))")
            }
            classNames.append(name)
            files.append(images.sorted(by: precedes))
        }
        func notes(_ left: [(Int, String)]) -> [String] {
            left.filter { $0.0 > 0 }.map { "Left out \($0.0) \($0.0 == 1 ? "file" : "files") of \(root) \($0.1)." }
        }
        guard !classNames.isEmpty else {
            guard !loose.isEmpty else {
                throw ImageError.dataset(
                    path: root,
                    reason: "it holds neither class subfolders with images, nor images, nor the files of CIFAR-10 or "
                        + "CIFAR-100")
            }
            let entries = try loose.map { Entry(id: $0, classIndex: nil, bytes: try fileSize(join(root, $0))) }
            return ImageDataset(
                name: root, classNames: [], entries: entries, source: .files(root: root),
                notes: notes([(others, "without an image extension")]))
        }
        var entries: [Entry] = []
        for turn in 0..<(files.map(\.count).max() ?? 0) {
            for (c, images) in files.enumerated() where turn < images.count {
                let id = classNames[c] + "/" + images[turn]
                entries.append(Entry(id: id, classIndex: c, bytes: try fileSize(join(root, id))))
            }
        }
        return ImageDataset(
            name: root, classNames: classNames, entries: entries, source: .files(root: root),
            notes: notes([(others, "without an image extension"), (loose.count, "outside the class folders")]))
    }

    /// Collects images at any depth, as paths relative to the class folder.
    private static func collect(
        in folder: String, under path: String, depth: Int, images: inout [String], others: inout Int
    ) throws {
        guard depth < 32 else {
            throw ImageError.dataset(
                path: folder, reason: "it lies 32 folders deep; is it a link to a folder above it?")
        }
        for name in try names(in: folder) {
            let file = join(folder, name)
            if isDirectory(file) {
                try collect(in: file, under: "\(path)\(name)/", depth: depth + 1, images: &images, others: &others)
            } else if isImageName(name) {
                images.append(path + name)
            } else {
                others += 1
            }
        }
    }
}

/// In lower case; matched in any case.
let imageEndings = [".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"]

func isImageName(_ name: String) -> Bool {
    let lower = name.lowercased()
    return imageEndings.contains { lower.hasSuffix($0) }
}

func isDirectory(_ path: String) -> Bool {
    var isFolder = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder
}
