import Foundation

/// A file of named tensors: safetensors, or one written by torch.save.
protocol WeightFile: Sendable {
    /// The file's name, for messages
    var name: String { get }
    /// Every tensor's shape by name
    var shapes: [String: [Int]] { get }

    /// A tensor that can be read as Float.
    ///
    /// - Parameter shape: the shape the tensor must have.
    /// - Throws: `CheckpointError.tensor` where it is absent or has another shape or type.
    func tensor(_ tensor: String, shape: [Int]) throws(CheckpointError) -> StoredTensor

    /// Passes the whole file on in pieces; where it is mapped, a piece's pages are dropped after its turn.
    func forEachPiece(_ body: (Data) -> Void)
}

extension SafeTensors: WeightFile {
    var shapes: [String: [Int]] { tensors.mapValues(\.shape) }
}

/// Opens a weight file by its extension: .safetensors, or else a file written by torch.save.
func openWeightFile(_ path: String) throws(CheckpointError) -> any WeightFile {
    if let pointer = gitLFSPointer(path) { throw pointer }
    if path.hasSuffix(".safetensors") { return try SafeTensors(path: path) }
    return try PyTorchFile(path: path)
}

/// The error for a file that is a Git LFS pointer: a few lines that `git clone` without Git LFS leaves in place of the
/// bytes.
func gitLFSPointer(_ path: String) -> CheckpointError? {
    guard case .file(let size) = fileKind(path), size < 1024,
        let data = try? Data(contentsOf: URL(fileURLWithPath: path)),
        data.starts(with: Data("version https://git-lfs.github.com/spec/".utf8))
    else { return nil }
    return .file(path: path, reason: "a Git LFS pointer, not the file itself; run `git lfs pull` in its folder")
}

extension MappedFile {
    /// Passes the whole file on in pieces and drops a piece's pages after its turn.
    func forEachPiece(_ body: (Data) -> Void) {
        for offset in stride(from: 0, to: data.count, by: 1 << 23) {
            let range = offset..<min(offset + 1 << 23, data.count)
            body(data[(data.startIndex + range.lowerBound)..<(data.startIndex + range.upperBound)])
            forget(range)
        }
    }
}
