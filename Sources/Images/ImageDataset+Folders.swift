#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension ImageDataset {
    static func classFolders(_ root: String) throws -> ImageDataset {
        var classNames: [String] = []
        var files: [[String]] = []  // per class
        for name in try names(in: root) {
            let folder = join(root, name)
            var isFolder = false
            guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder else {
                continue
            }
            let images = try names(in: folder).filter { isImageName($0) && !isDirectory(join(folder, $0)) }
            guard !images.isEmpty else {
                throw ImageError.dataset(path: folder, reason: "the class folder holds no PNG or JPEG file")
            }
            classNames.append(name)
            files.append(images)
        }
        guard !classNames.isEmpty else {
            throw ImageError.dataset(
                path: root,
                reason:
                    "it holds neither class subfolders with PNG or JPEG files nor the files of CIFAR-10 or CIFAR-100"
            )
        }
        var entries: [Entry] = []
        for turn in 0..<(files.map(\.count).max() ?? 0) {
            for (c, images) in files.enumerated() where turn < images.count {
                let id = classNames[c] + "/" + images[turn]
                entries.append(Entry(id: id, classIndex: c, bytes: try fileSize(join(root, id))))
            }
        }
        return ImageDataset(name: root, classNames: classNames, entries: entries, source: .files(root: root))
    }
}

/// In lower case; any case is read.
let imageEndings = [".png", ".jpg", ".jpeg"]

func isImageName(_ name: String) -> Bool {
    let lower = name.lowercased()
    return imageEndings.contains { lower.hasSuffix($0) }
}

func isDirectory(_ path: String) -> Bool {
    var isFolder = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder
}
