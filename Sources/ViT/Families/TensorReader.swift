/// Reads a model's tensors by name, checks their shapes and values, and records which were used.
struct TensorReader {
    let source: TensorSource
    let classes: TextClasses?
    private var used: Set<String> = []

    init(source: TensorSource, classes: TextClasses? = nil) { (self.source, self.classes) = (source, classes) }

    /// Names of tensors that were not read, sorted
    var unused: [String] { source.unused(used) }

    func has(_ name: String) -> Bool { source.has(name) }
    func has(_ names: [String]) -> Bool { names.contains(where: source.has) }

    func missing(_ name: String, _ reason: String) -> CheckpointError {
        .tensor(name: name, file: source.name, reason: reason)
    }

    /// weight [out, in] and bias [out]
    mutating func linear(
        _ paths: [String], out: Int, in width: Int
    ) throws(CheckpointError) -> (weight: Weight, bias: Weight) {
        try linear(stacked: [paths], out: out, in: width, bias: true)
    }

    mutating func linear(
        _ path: String, out: Int, in width: Int
    ) throws(CheckpointError) -> (weight: Weight, bias: Weight) {
        try linear([path], out: out, in: width)
    }

    /// Several linear maps of the same input as one: weight [parts * out, in] and bias [parts * out]; the bias is zeros
    /// if `bias` is false.
    mutating func linear(
        stacked parts: [[String]], out: Int, in width: Int, bias: Bool
    ) throws(CheckpointError) -> (weight: Weight, bias: Weight) {
        var weights: [StoredTensor] = [], biases: [StoredTensor] = []
        for paths in parts {
            weights.append(try stored(paths.map { "\($0).weight" }, [out, width]))
            if bias { biases.append(try stored(paths.map { "\($0).bias" }, [out])) }
        }
        return (Weight(weights), bias ? Weight(biases) : Weight([Float](repeating: 0, count: parts.count * out)))
    }

    /// A layer norm's weight and bias, [width] each.
    mutating func vector(
        _ paths: [String], _ width: Int
    ) throws(CheckpointError) -> (weight: Weight, bias: Weight) {
        (try tensor(paths.map { "\($0).weight" }, [width]), try tensor(paths.map { "\($0).bias" }, [width]))
    }

    mutating func tensor(
        _ names: [String], _ shape: [Int], because: String? = nil
    ) throws(CheckpointError) -> Weight {
        Weight([try stored(names, shape, because: because)])
    }

    /// The first of `names` that the checkpoint has, checked for shape and finite values.
    ///
    /// - Parameter because: where the expected shape comes from; added to the message about a different shape
    mutating func stored(
        _ names: [String], _ shape: [Int], because: String? = nil
    ) throws(CheckpointError) -> StoredTensor {
        guard let name = names.first(where: source.has) else { throw source.missing(names[0]) }
        let tensor = try source.tensor(name, shape: shape, because: because)
        used.insert(name)
        return tensor
    }
}
