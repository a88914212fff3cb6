import Formats
import Foundation

/// Finds the tensors of a file written by torch.save.
struct PyTorchLayout {
    struct Malformed: Error {
        let reason: String
    }

    /// Limit of a tensor's elements where they exceed its storage's (a stride of 0 repeats some)
    private static let maxRepeated = 1 << 24

    private let data: Data
    private let pickle: Pickle
    /// Byte ranges of `data` by storage key
    private let storages: [String: Range<Int>]

    /// Bytes of an element by PyTorch's name
    private static let sizes = [
        "DoubleStorage": 8, "FloatStorage": 4, "HalfStorage": 2, "BFloat16Storage": 2, "LongStorage": 8,
        "IntStorage": 4, "ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1, "BoolStorage": 1,
        "ComplexDoubleStorage": 16, "ComplexFloatStorage": 8,
    ]
    private static let functions = Set(
        sizes.keys.map { "torch.\($0)" } + [
            "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor", "torch._utils._rebuild_parameter",
            "collections.OrderedDict",
        ])

    init(_ data: Data) throws(Malformed) {
        self.data = data
        if ZipDirectory.isZip(data) {
            (pickle, storages) = try Self.archive(data)
        } else {
            (pickle, storages) = try Self.legacy(data)
        }
    }

    private static func pickle(_ data: Data, start: Int = 0) throws(Malformed) -> Pickle {
        do throws(Pickle.Malformed) {
            return try Pickle(data, start: start, functions: functions)
        } catch {
            throw Malformed(
                reason: "not a file of tensors only: \(error.reason) (byte \(error.position) of its pickle)")
        }
    }

    /// ZIP: NAME/data.pkl, and NAME/data/KEY for each storage
    private static func archive(_ data: Data) throws(Malformed) -> (Pickle, [String: Range<Int>]) {
        let members: [String: Range<Int>]
        do throws(ZipDirectory.Malformed) {
            members = try ZipDirectory(data).members
        } catch {
            throw Malformed(reason: error.reason)
        }
        guard let main = members.keys.filter({ $0.hasSuffix("/data.pkl") || $0 == "data.pkl" }).min(),
            let range = members[main]
        else { throw Malformed(reason: "a ZIP archive without data.pkl, so it was not written by torch.save") }
        let root = String(main.dropLast("data.pkl".count))
        if members["\(root)constants.pkl"] != nil {
            throw Malformed(reason: "a TorchScript program; vitpatch reads files that torch.save wrote of a state_dict")
        }
        func bytes(_ range: Range<Int>) -> Data {
            data[data.startIndex + range.lowerBound..<data.startIndex + range.upperBound]
        }
        if let order = members["\(root)byteorder"], bytes(order) != Data("little".utf8) {
            throw Malformed(reason: "its values are big-endian, which is not supported")
        }
        var storages: [String: Range<Int>] = [:]
        let prefix = "\(root)data/"
        for (name, range) in members where name.hasPrefix(prefix) {
            storages[String(name.dropFirst(prefix.count))] = range
        }
        return (try pickle(bytes(range)), storages)
    }

    /// Before PyTorch 1.6: four pickles (a magic number, a version, properties of the machine, the tensors), a fifth
    /// with the storages' keys, then for each storage its number of elements and its bytes.
    private static func legacy(_ data: Data) throws(Malformed) -> (Pickle, [String: Range<Int>]) {
        let magic: [UInt8] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]
        // Until the number is found, the file may be of any kind.
        guard data.prefix(64).range(of: Data(magic)) != nil else {
            throw Malformed(reason: "not a file that torch.save wrote")
        }
        let first = try pickle(data), version = try pickle(data, start: first.end)
        guard version.integer(version.root) == 1001 else { throw Malformed(reason: "its version is not 1001") }
        let machine = try pickle(data, start: version.end)
        for (key, value) in machine.members(machine.root) ?? [] where key == "little_endian" && value == .bool(false) {
            throw Malformed(reason: "its values are big-endian, which is not supported")
        }
        let main = try pickle(data, start: machine.end), keys = try pickle(data, start: main.end)
        guard let list = keys.node(keys.root, .list)?.items else {
            throw Malformed(reason: "its list of storages is missing")
        }
        // The element width of a storage is given where tensors refer to it.
        var widths: [String: Int] = [:]
        for node in main.nodes where node.kind == .persistent {
            guard let storage = Storage(main, node) else { continue }
            widths[storage.key] = sizes[storage.type]
        }
        var storages: [String: Range<Int>] = [:]
        var offset = keys.end
        for item in list {
            guard let key = keys.string(item), let width = widths[key], data.count - offset >= 8 else {
                throw Malformed(reason: "its storages are damaged")
            }
            let start = data.startIndex + offset
            let count = data[start..<start + 8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            guard count <= UInt64((data.count - offset - 8) / width) else {
                throw Malformed(reason: "storage \(printable(key)) goes past the end of the file")
            }
            storages[key] = offset + 8..<offset + 8 + Int(count) * width
            offset += 8 + Int(count) * width
        }
        return (main, storages)
    }

    /// The contents of a persistent id: ("storage", type, key, device, number of elements, ...)
    private struct Storage {
        let type: String
        let key: String
        let count: Int

        init?(_ pickle: Pickle, _ node: Pickle.Node) {
            guard node.kind == .persistent, let id = pickle.node(node.arguments.first, .tuple)?.items, id.count >= 5,
                pickle.string(id[0]) == "storage", let type = pickle.node(id[1], .global)?.function,
                type.hasPrefix("torch."), let key = pickle.string(id[2]), let count = pickle.integer(id[4]), count >= 0,
                id.count == 5 || id[5] == .none
            else { return nil }
            (self.type, self.key, self.count) = (String(type.dropFirst("torch.".count)), key, count)
        }
    }

    /// Every tensor of the dictionary, or of its member `state_dict` or `model`.
    func views() throws(Malformed) -> [String: PyTorchFile.View] {
        guard let members = pickle.members(pickle.root) else {
            throw Malformed(reason: "it holds no dictionary of tensors")
        }
        let views = try views(of: members)
        if !views.isEmpty { return views }
        for (key, value) in members where key == "state_dict" || key == "model" {
            if let inner = pickle.members(value) { return try self.views(of: inner) }
        }
        return views
    }

    private func views(of members: [(key: String, value: Pickle.Value)]) throws(Malformed) -> [String: PyTorchFile.View]
    {
        var views: [String: PyTorchFile.View] = [:]
        for (name, value) in members {
            guard var call = pickle.node(value, .call) else { continue }
            if call.function == "torch._utils._rebuild_parameter" {
                guard let inner = pickle.node(call.arguments.first, .call) else { continue }
                call = inner
            }
            guard call.function.hasPrefix("torch._utils._rebuild_tensor") else { continue }
            do throws(Malformed) {
                views[name] = try view(call.arguments)
            } catch {
                throw Malformed(reason: "tensor \(printable(name)) \(error.reason)")
            }
        }
        return views
    }

    /// The arguments of _rebuild_tensor_v2: storage, offset, size, strides, ...
    private func view(_ arguments: [Pickle.Value]) throws(Malformed) -> PyTorchFile.View {
        guard arguments.count >= 4, let node = pickle.node(arguments[0], .persistent),
            let storage = Storage(pickle, node), let offset = pickle.integer(arguments[1]), offset >= 0,
            let shape = pickle.integers(arguments[2]), let strides = pickle.integers(arguments[3]),
            shape.count == strides.count, shape.count <= 64, (shape + strides).allSatisfy({ $0 >= 0 })
        else { throw Malformed(reason: "has an unsupported description") }
        guard let width = Self.sizes[storage.type] else { throw Malformed(reason: "has an unknown type") }
        guard let range = storages[storage.key] else {
            throw Malformed(reason: "lies in storage \(printable(storage.key)), which the file does not have")
        }
        guard storage.count <= range.count / width else {
            throw Malformed(
                reason: "lies in storage \(printable(storage.key)) of \(storage.count) elements, but the file has "
                    + "\(range.count) bytes of it")
        }
        // Extent from the first element to the last; with stride 0, one element may be repeated.
        var last = 0, count = 1, isContiguous = true
        for (extent, stride) in zip(shape, strides).reversed() {
            if extent != 1, stride != count { isContiguous = false }
            let (step, overflow) = max(extent - 1, 0).multipliedReportingOverflow(by: stride)
            let (sum, overflow2) = last.addingReportingOverflow(step)
            let (product, overflow3) = count.multipliedReportingOverflow(by: extent)
            guard !overflow, !overflow2, !overflow3 else { throw Malformed(reason: "is larger than its storage") }
            (last, count) = (sum, product)
        }
        let start = range.lowerBound
        if count == 0 {
            return .init(type: storage.type, shape: shape, strides: strides, range: start..<start, isContiguous: true)
        }
        guard offset < storage.count, last < storage.count - offset, count <= max(storage.count, Self.maxRepeated)
        else {
            throw Malformed(reason: "is larger than its storage")
        }
        return .init(
            type: storage.type, shape: shape, strides: strides,
            range: start + offset * width..<start + (offset + last + 1) * width, isContiguous: isContiguous)
    }
}
