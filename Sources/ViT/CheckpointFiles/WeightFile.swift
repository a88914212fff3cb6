import Foundation

/// A file of named tensors: safetensors, or what torch.save writes.
protocol WeightFile: Sendable {
    /// The file's name, for messages
    var name: String { get }
    /// Every tensor's shape by its name
    var shapes: [String: [Int]] { get }

    /// A tensor that can be read as Float.
    ///
    /// - Parameter shape: the shape the tensor must have.
    /// - Throws: `CheckpointError.tensor` where it is absent, of another shape or of another type.
    func tensor(_ tensor: String, shape: [Int]) throws(CheckpointError) -> StoredTensor

    /// Hands out the whole file piece by piece; where it is mapped, a piece's pages are let go after its turn.
    func forEachPiece(_ body: (Data) -> Void)
}

extension SafeTensors: WeightFile {
    var shapes: [String: [Int]] { tensors.mapValues(\.shape) }
}

/// Opens a weight file, known by its ending: safetensors, or else one that torch.save wrote.
func openWeightFile(_ path: String) throws(CheckpointError) -> any WeightFile {
    if let pointer = gitLFSPointer(path) { throw pointer }
    if path.hasSuffix(".safetensors") { return try SafeTensors(path: path) }
    return try PyTorchFile(path: path)
}

/// The error to throw where a file is what `git clone` leaves behind without Git LFS: a few lines in place of the
/// bytes.
func gitLFSPointer(_ path: String) -> CheckpointError? {
    guard case .file(let size) = fileKind(path), size < 1024,
        let data = try? Data(contentsOf: URL(fileURLWithPath: path)),
        data.starts(with: Data("version https://git-lfs.github.com/spec/".utf8))
    else { return nil }
    return .file(path: path, reason: "a Git LFS pointer, not the file itself; run `git lfs pull` in its folder")
}

extension MappedFile {
    /// Hands out the whole file piece by piece and lets a piece's pages go after its turn.
    func forEachPiece(_ body: (Data) -> Void) {
        for offset in stride(from: 0, to: data.count, by: 1 << 23) {
            let range = offset..<min(offset + 1 << 23, data.count)
            body(data[(data.startIndex + range.lowerBound)..<(data.startIndex + range.upperBound)])
            forget(range)
        }
    }
}
