import Formats
import Foundation
import Images
import Kernels
import Patch
import ViT

extension FuzzReader {
    /// Weights, configurations, processors and activation files
    static let models: [FuzzReader] = [
        FuzzReader(
            name: "pytorch",
            seeds: {
                try ["zip", "legacy", "nested", "module"].flatMap { try fixtures("pytorch/\($0).bin") }
            }
        ) { data in
            let file = try PyTorchFile(path: folder().write(data, "pytorch_model.bin"))
            for (name, view) in file.views {
                guard view.range.lowerBound >= 0, view.range.upperBound <= data.count else { return outside(name) }
                _ = try? file.tensor(name, shape: view.shape).firstNonFinite
            }
        },
        FuzzReader(
            name: "safetensors",
            seeds: {
                [
                    safetensors(
                        #"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"BF16","shape":[3],"data_offsets":[16,22]}}"#,
                        bytes: 22)
                ]
            }
        ) {
            let file = try SafeTensors(data: $0, name: "model.safetensors")
            for (name, tensor) in file.tensors { _ = try? file.tensor(name, shape: tensor.shape).firstNonFinite }
        },
        FuzzReader(name: "config", seeds: { try families.flatMap { try fixtures("\($0)/config.json") } }) {
            _ = try ViTConfig(json: $0, name: "config.json")
        },
        // A whole model's weights, with its real configuration
        FuzzReader(name: "weights", seeds: { try fixtures("families/timm/model.safetensors", largest: 1 << 20) }) {
            let model = try Checkpoint(
                config: Data(fixtures("families/timm/config.json")[0]), weights: $0, preprocessor: nil, name: "timm")
            _ = model.weights.position.floats
        },
        // A whole model in shards, with a damaged index
        FuzzReader(name: "index", seeds: { try fixtures("pytorch/sharded", ".index.json") }) { index in
            let folder = try indexFolder.get()
            for file in ["config.json", "pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"]
            where access("\(folder.path)/\(file)", F_OK) != 0 {
                try folder.write(Data(fixtures("pytorch/sharded/\(file)")[0]), file)
            }
            try folder.write(index, "pytorch_model.bin.index.json")
            _ = try Checkpoint.load(folder: folder.path)
        },
        FuzzReader(
            name: "processor",
            seeds: {
                try fixtures("images/preprocess", ".json") + fixtures("images/preprocess-torchvision", ".json")
                    + fixtures("families/timm/config.json")
            }
        ) { data in
            let processor = try Preprocessor(config: data, imageSize: 16)
            _ = try processor(RGBImage(width: 5, height: 7, pixels: [UInt8](repeating: 9, count: 105)))
        },
        FuzzReader(name: "activations", seeds: { [activations()] }) {
            let patches = [
                Patch(with: .file, parts: [Part(site: .residPost, layers: [0]), Part(site: .z, layers: [1])])
            ]
            let file = try ActivationFile(
                path: folder().write($0, "activations.safetensors"), patches: patches, config: config, modelHash: "00")
            _ = try file.position(of: "b")
        },
        FuzzReader(
            name: "tuned",
            seeds: {
                try [GEMMChoice(provider: .packed, tile: .init(vectorWidth: 8)), GEMMChoice(provider: .tiled)].map {
                    Array(try JSONEncoder().encode($0))
                }
            }
        ) { _ = try JSONDecoder().decode(GEMMChoice.self, from: $0).isSound },
    ]

    private static let indexFolder = Result { try FuzzFolder() }

    private static let families =
        ["tiny", "gelu-new"]
        + [
            "clip", "deit", "deit-distilled", "dinov2", "dinov2-registers", "siglip", "timm", "timm-average",
            "timm-no-class", "timm-pre-norm", "vit-msn",
        ].map { "families/\($0)" }

    private static func outside(_ name: String) {
        fatalError("the tensor \(name) does not lie in its file, and was read")
    }

    private static func safetensors(_ header: String, bytes: Int) -> [UInt8] {
        withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) } + Array(header.utf8)
            + [UInt8](repeating: 0x3f, count: bytes)
    }

    /// Activations of two images at two sites of the tiny model
    private static func activations() -> [UInt8] {
        let shapes = [Site.residPost, .z].map { $0.shape(images: 2, config) }
        let sizes = shapes.map { $0.reduce(4, *) }
        return safetensors(
            #"{"__metadata__":{"ids":"[\"a\",\"b\"]","model_hash":"00"},"patch.resid_post.0":{"dtype":"F32","shape":\#(shapes[0]),"data_offsets":[0,\#(sizes[0])]},"clean.z.1":{"dtype":"F32","shape":\#(shapes[1]),"data_offsets":[\#(sizes[0]),\#(sizes[0] + sizes[1])]}}"#,
            bytes: sizes[0] + sizes[1])
    }
}
