import Formats
import Foundation
import Images
import Patch
import Results
import Spec
import ViT

extension FuzzReader {
    /// JSON, CSV, pickles, specs, lists, groups and class maps
    static let texts: [FuzzReader] = [
        FuzzReader(
            name: "json", seeds: { texts(#"{"a": [1, -2.5e3, true, null, "x\u00e9\ud83e\udd89"], "b": {"c": {}}}"#) }
        ) {
            let members = JSONMembers($0)
            let whole = try? JSONReader.read($0) { try $0.value() }.object
            precondition(members?.names.count == whole?.count, "members and the whole object differ")
            for (name, value) in whole ?? [:] {
                precondition(members?[name] == value, "members and the whole object differ")
            }
        },
        FuzzReader(name: "csv", seeds: { texts("a,b\r\n\"x,\"\"y\",2\n3,\n") }) { _ = try CSV($0) },
        FuzzReader(
            name: "pickle",
            seeds: {
                texts(
                    "(dp0\nS'x\\x41'\np1\n(lp2\nI1\naL5L\naV\\u00e9\nas.",
                    "\u{2}}q\u{1}(U\u{1}aK\u{1}U\u{1}b]q\u{2}(K\u{2}K\u{3}eu.",
                    "c_codecs\nencode\n(V\\u00e9\nVlatin1\ntR.")
                    + (try fixtures("images/cifar/10/test_batch"))
            }
        ) {
            let pickle = try Pickle($0, functions: ["_codecs.encode", "numpy.dtype", "collections.OrderedDict"])
            for (key, value) in pickle.members(pickle.root) ?? [] {
                _ = (key, pickle.string(value), pickle.integers(value))
            }
        },
        FuzzReader(name: "spec", seeds: { yaml.map { Array($0.utf8) } }) { data in
            let options = try SweepOptions(yaml: String(decoding: data, as: UTF8.self), name: "spec.yaml")
            _ = try? options.settings()
            _ = try? options.spec(for: config).items(config: config)
        },
        FuzzReader(
            name: "list",
            seeds: { texts("0,5,7", "0-3", "0+1,2", "each", "cls,patches,1:2x0:2", "embed,z+q", "blur:0.5,1") }
        ) {
            let text = String(decoding: $0, as: UTF8.self)
            _ = try? ListText.parse(text, below: 12)
            _ = try? ListText.heads(text, config: config)
            _ = try? ListText.tokens(text, config: config)
            _ = try? SweepSpec.sites(text)
            _ = try? Corruption.list(spec: text)
        },
        FuzzReader(name: "groups", seeds: { texts("image,a,b\nx/1.png,1,\"2\"\nx/2.png,,3\n") }) {
            _ = try ImageGroups.read(path: folder().write($0, "groups.csv"), ids: ["x/1.png", "x/2.png", "x/3.png"])
        },
        FuzzReader(name: "class-map", seeds: { texts("folder,label\na,cat\n\"b\",2\n") }) {
            _ = try ClassMap(path: folder().write($0, "classes.csv"))
        },
        FuzzReader(name: "images-csv", seeds: { texts("image,label,half\na.png,cat,1\n./a.png,,2\n") }) {
            try folder().write(Data(), "a.png")
            _ = try ImageDataset(path: folder().write($0, "images.csv"))
        },
    ]

    static func texts(_ texts: String...) -> [[UInt8]] { texts.map { Array($0.utf8) } }

    private static let yaml = [
        "model: m\ndata: d\ndirection: [restore, noise]\nsite: [attn_out, z]\nlayers: 0-1\nheads: each\nwindow: [1, 2]\nlimit: 3\n",
        "places:\n  - site: resid_post\n    layers: 0\n    tokens: cls,patches\n  - {site: mlp_act, layers: [0, 1], neurons: 3+4}\n",
        "patches:\n- name: \"a\"\n  direction: noise\n  parts:\n  - {site: q, layers: [0], heads: [1], tokens: [0]}\n  - site: embed\ncorruption: [\"noise:1\", grayscale]\nseed: 7\nshard: 1/3\n",
        "{\"site\": [\"z\"], \"patch-with\": \"mean\", \"target\": \"clean\", \"foil\": \"corrupted\", \"keep\": \"all\"}",
    ]

    /// The tiny model's configuration
    static let config: ViTConfig = {
        do { return try ViTConfig(json: Data(fixtures("tiny/config.json")[0]), name: "config.json") } catch {
            preconditionFailure("the fixture cannot be read: \(error)")
        }
    }()

    static func folder() throws -> FuzzFolder { try sharedFolder.get() }
    private static let sharedFolder = Result { try FuzzFolder() }
}
