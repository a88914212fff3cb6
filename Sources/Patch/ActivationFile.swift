import Foundation
import ViT

/// Activations of images in a memory-mapped .safetensors file, put in by `PatchWith.file`, image by image.
///
/// Arrays are called `patch.SITE.LAYER`, or `clean.SITE.LAYER` if written by `vitpatch activations` (`embed` has layer
/// 0). Shapes: [images, T, D]; [images, H, T, Dh] for q, k, v and z; [images, H, T, T] for pattern; [images, T, M] for
/// mlp_pre and mlp_act. The metadata's `ids` is a JSON list of the images' ids.
package final class ActivationFile: Sendable {
    /// The metadata's key for the model's hash
    package static let modelHashKey = "model_hash"

    private struct Key: Hashable {
        var site: Site
        var layer: Int
    }
    private let tensors: [Key: StoredTensor]
    private let positions: [String: Int]
    private let config: ViTConfig
    package let name: String
    /// SHA-256 in hex of the whole file
    package let sha256: String

    /// Opens a file and checks that it has every activation that the patches put in.
    /// - Parameters:
    ///   - modelHash: hash of the patched model; arrays `clean.*` must come from this model
    /// - Throws: `CheckpointError`, which names the file and the array
    package init(
        path: String, patches: [Patch], config: ViTConfig, modelHash: String
    ) throws(CheckpointError) {
        let file = try SafeTensors(path: path)
        func failure(_ reason: String) -> CheckpointError { .file(path: path, reason: reason) }
        guard let text = file.metadata["ids"], let ids = try? JSONDecoder().decode([String].self, from: Data(text.utf8))
        else {
            throw failure("its metadata has no ids, a JSON list of the images' ids")
        }
        positions = Dictionary(zip(ids, ids.indices)) { first, _ in first }
        guard positions.count == ids.count else { throw failure("its metadata's ids name an image twice") }
        var tensors: [Key: StoredTensor] = [:]
        for part in patches.filter({ $0.with == .file }).flatMap(\.parts) {
            for layer in part.site.hasLayers ? part.layers : [0] {
                let key = Key(site: part.site, layer: layer)
                if tensors[key] != nil { continue }
                let name = "\(part.site.rawValue).\(layer)", own = "clean.\(name)", given = "patch.\(name)"
                let tensor = file.tensors[given] == nil && file.tensors[own] != nil ? own : given
                guard file.tensors[tensor] != nil else {
                    throw .tensor(name: tensor, file: path, reason: "the file has neither it nor \(own)")
                }
                if tensor == own, file.metadata[Self.modelHashKey] != modelHash {
                    throw .tensor(
                        name: own, file: path,
                        reason:
                            "it comes from another model (\(Self.short(file.metadata[Self.modelHashKey])) in the "
                            + "metadata's \(Self.modelHashKey), the model's is \(Self.short(modelHash))); name such "
                            + "activations \(given)")
                }
                tensors[key] = try file.tensor(tensor, shape: part.site.shape(images: ids.count, config))
            }
        }
        if tensors[Key(site: .embed, layer: 0)] != nil, tensors[Key(site: .residPre, layer: 0)] != nil {
            throw failure("embed and resid_pre of layer 0 are the same place; the file may provide only one of them")
        }
        guard let sha256 = file.sha256 else { throw failure("its hash cannot be computed") }
        (self.tensors, self.config, self.name, self.sha256) = (tensors, config, path, sha256)
    }

    private static func short(_ hash: String?) -> String { hash.map { String($0.prefix(12)) } ?? "nothing" }

    /// The image's index in every array.
    /// - Throws: `CheckpointError.file` where the file does not have the image
    package func position(of id: String) throws(CheckpointError) -> Int {
        guard let position = positions[id] else {
            throw .file(path: name, reason: "its metadata's ids lack the image \(id)")
        }
        return position
    }

    func has(_ site: Site, layer: Int) -> Bool { tensors[Key(site: site, layer: layer)] != nil }

    /// The first `tokens` tokens of one image, [tokens, width]; for a pattern all of it, [H, T, T].
    func values(_ site: Site, layer: Int, image: Int, tokens: Int) -> [Float] {
        guard let tensor = tensors[Key(site: site, layer: layer)] else { return [] }
        let values = tensor.part(image, of: positions.count).floats
        if site.row.home == .pattern { return values }
        if !site.hasHeads { return Array(values.prefix(tokens * values.count / config.tokens)) }
        let size = config.headDim
        return (0..<tokens).flatMap { token in
            (0..<config.heads).flatMap { head in
                let first = (head * config.tokens + token) * size
                return values[first..<(first + size)]
            }
        }
    }
}

extension Site {
    /// The shape of an array of activations at this site
    /// - Parameter tokens: number of tokens, or of the pattern's queries; nil: all
    package func shape(images: Int, tokens: Int? = nil, _ config: ViTConfig) -> [Int] {
        let tokens = tokens ?? config.tokens
        return switch row.columns {
        case .whole: [images, tokens, config.hiddenSize]
        case .neurons: [images, tokens, config.intermediateSize]
        case .heads: [images, config.heads, tokens, row.home == .pattern ? config.tokens : config.headDim]
        }
    }
    /// One image's activations in the order of the array.
    /// - Parameters:
    ///   - values: [T, width]; for `pattern` [H, T, T]
    ///   - tokens: the tokens, or the pattern's queries, to keep; nil: all
    package func arranged(_ values: ArraySlice<Float>, tokens: [Int]? = nil, _ config: ViTConfig) -> [Float] {
        let all = config.tokens, first = values.startIndex
        if !hasHeads, tokens == nil { return Array(values) }
        let tokens = tokens ?? Array(0..<all)
        func row(_ index: Int, _ width: Int) -> ArraySlice<Float> {
            values[(first + index * width)..<(first + (index + 1) * width)]
        }
        if !hasHeads { return tokens.flatMap { row($0, values.count / all) } }
        return (0..<config.heads).flatMap { head in
            tokens.flatMap { token in
                self.row.home == .pattern
                    ? row(head * all + token, all) : row(token * config.heads + head, config.headDim)
            }
        }
    }
}
