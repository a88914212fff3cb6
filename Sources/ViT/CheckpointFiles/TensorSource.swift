import Formats
import Foundation

/// The tensors of a checkpoint under the names that its family uses, each with its file and its name there.
struct TensorSource {
    /// The weight files, sorted by name
    let files: [any WeightFile]
    /// The weights' name in messages: the single file or the index
    let name: String
    /// Changes made to the names, one sentence each
    let notes: [String]
    private let places: [String: Place]

    private struct Place {
        let file: Int
        /// The name in that file
        let stored: String
    }

    /// - Parameter base: prefix of all tensor names but the head's
    init(_ file: any WeightFile, base: String = "vit.") {
        self.init(files: [file], name: file.name, fileOf: file.shapes.mapValues { _ in 0 }, base: base)
    }

    init(_ model: ModelFolder, base: String = "vit.") throws(CheckpointError) {
        for file in ["model.safetensors", "pytorch_model.bin"] {
            if model.has(file) {
                self.init(try openWeightFile(model.path(file)), base: base)
                return
            }
            if model.has("\(file).index.json") {
                try self.init(index: "\(file).index.json", of: model, base: base)
                return
            }
        }
        throw CheckpointError.file(
            path: model.folder,
            reason: "has no weights (model.safetensors or pytorch_model.bin, whole or with an index)")
    }

    private init(index: String, of model: ModelFolder, base: String) throws(CheckpointError) {
        guard let map = JSONMembers(try model.json(index))?["weight_map"]?.object else {
            throw CheckpointError.file(path: model.path(index), reason: "not a JSON object with an object weight_map")
        }
        var shardOf: [String: String] = [:]
        for (tensor, value) in map {
            guard let shard = value.string, !shard.isEmpty, !shard.contains("/"), !shard.contains("\0"),
                shard != ".", shard != ".."
            else {
                throw CheckpointError.tensor(
                    name: tensor, file: model.path(index),
                    reason: "weight_map gives \(value.text), expected a file in the same folder")
            }
            shardOf[tensor] = shard
        }
        let shards = Set(shardOf.values).sorted()
        var files: [any WeightFile] = []
        for shard in shards { files.append(try openWeightFile(model.path(shard))) }
        let order = Dictionary(uniqueKeysWithValues: zip(shards, files.indices))
        self.init(files: files, name: model.path(index), fileOf: shardOf.compactMapValues { order[$0] }, base: base)
    }

    private init(files: [any WeightFile], name: String, fileOf: [String: Int], base: String) {
        (self.files, self.name) = (files, name)
        var notes: [String] = []
        var places = fileOf.reduce(into: [String: Place]()) { $0[$1.key] = Place(file: $1.value, stored: $1.key) }
        // The prefix that torch.nn.DataParallel adds to all names
        let module = "module."
        if !places.isEmpty, places.keys.allSatisfy({ $0.hasPrefix(module) }) {
            places = Dictionary(uniqueKeysWithValues: places.map { (String($0.dropFirst(module.count)), $1) })
            notes.append("All tensor names begin with \(module); the prefix was removed.")
        }
        // A base model saved on its own has these names without the prefix; a head may have been added.
        if !places.keys.contains(where: { $0.hasPrefix(base) }),
            places.keys.contains(where: { $0.hasPrefix("embeddings.") })
        {
            places = Dictionary(
                uniqueKeysWithValues: places.map { ($0.hasPrefix("classifier.") ? $0 : base + $0, $1) })
            notes.append("The tensor names lacked the prefix \(base); it was added.")
        }
        (self.places, self.notes) = (places, notes)
    }

    func has(_ tensor: String) -> Bool { places[tensor] != nil }

    func shape(of tensor: String) -> [Int]? {
        places[tensor].flatMap { files[$0.file].shapes[$0.stored] }
    }

    /// The stored names of tensors that are not in `used`, sorted
    func unused(_ used: Set<String>) -> [String] {
        places.filter { !used.contains($0.key) }.map(\.value.stored).sorted()
    }

    /// A tensor, checked for shape and finite values.
    ///
    /// - Parameter because: where the expected shape comes from; added to the message about a different shape
    func tensor(_ tensor: String, shape: [Int], because: String? = nil) throws(CheckpointError) -> StoredTensor {
        guard let place = places[tensor] else { throw missing(tensor) }
        let file = files[place.file]
        if let because, let found = file.shapes[place.stored], found != shape {
            throw CheckpointError.tensor(
                name: place.stored, file: file.name,
                reason: "expected shape \(shape) (\(because)), found \(shapeText(found))")
        }
        let stored = try file.tensor(place.stored, shape: shape)
        if let (index, value) = stored.firstNonFinite {
            throw CheckpointError.tensor(
                name: place.stored, file: file.name, reason: "the value at index \(index) is \(value), not finite")
        }
        return stored
    }

    /// The error for an absent tensor. Where no name has its prefix, it gives the most common one.
    func missing(_ tensor: String, because: String? = nil) -> CheckpointError {
        func first(_ name: String) -> String { String(name.prefix { $0 != "." }) }
        var counts: [String: Int] = [:]
        for name in places.keys { counts[first(name), default: 0] += 1 }
        let most = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }
        var reason = because.map { "missing: \($0)" } ?? "missing"
        if let most, !places.keys.contains(where: { first($0) == first(tensor) }), because == nil {
            reason += "; \(most.value) of the \(places.count) tensor names begin with \(printable(most.key))."
        }
        return .tensor(name: tensor, file: name, reason: reason)
    }
}
