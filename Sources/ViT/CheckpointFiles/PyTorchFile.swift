import Formats
import Foundation

/// A file written by torch.save (pytorch_model.bin): a dictionary of tensors, in the ZIP layout of PyTorch 1.6 and
/// later or the older one.
///
/// Its pickle is read and never executed: tensors, storages and OrderedDict are known, anything else is refused by
/// name. The values stay in the memory-mapped file.
package struct PyTorchFile: WeightFile {
    /// A tensor: a view of a storage
    package struct View: Sendable, Equatable {
        package let type: String  // PyTorch's name: FloatStorage
        package let shape: [Int]
        /// Strides in elements, one per dimension
        package let strides: [Int]
        /// Byte range in the file, from the first value to the last
        package let range: Range<Int>
        /// Whether the values are contiguous in row-major order
        package let isContiguous: Bool
    }

    package let name: String
    package let views: [String: View]
    private let file: MappedFile

    var shapes: [String: [Int]] { views.mapValues(\.shape) }

    package init(path: String) throws(CheckpointError) {
        name = path
        file = try MappedFile(path: path)
        do {
            views = try PyTorchLayout(file.data).views()
        } catch {
            throw CheckpointError.header(file: path, reason: error.reason)
        }
    }

    package func tensor(_ tensor: String, shape: [Int]) throws(CheckpointError) -> StoredTensor {
        func fail(_ reason: String) -> CheckpointError { .tensor(name: tensor, file: name, reason: reason) }
        guard let view = views[tensor] else { throw fail("the file does not have it") }
        guard view.shape == shape else { throw fail("expected shape \(shape), found \(shapeText(view.shape))") }
        guard let type = Self.types[view.type] else {
            throw fail("expected type F32, F16, BF16 or F64, found \(view.type)")
        }
        let bytes = file.data[
            file.data.startIndex + view.range.lowerBound..<file.data.startIndex + view.range.upperBound]
        guard
            let stored = StoredTensor(
                dtype: type, bytes: bytes, file: file, layout: view.isContiguous ? nil : (view.shape, view.strides))
        else { throw fail("expected type F32, F16, BF16 or F64, found \(view.type)") }
        return stored
    }

    func forEachPiece(_ body: (Data) -> Void) { file.forEachPiece(body) }

    private static let types: [String: SafeTensors.DType] = [
        "FloatStorage": .f32, "HalfStorage": .f16, "BFloat16Storage": .bf16, "DoubleStorage": .f64,
    ]
}
