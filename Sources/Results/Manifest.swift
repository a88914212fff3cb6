import Foundation

/// A sweep's settings, model, data and device: enough to run it again, and to refuse a resume that would mix two sweeps
/// in one store.
package struct Manifest: Codable, Sendable, Equatable {
    /// vitpatch's own version
    package var version: String
    /// The model folder as given, or `demo`
    package var model: String
    /// sha256 (hex) of the model folder's contents that determine the results
    package var modelHash: String
    /// The file of class texts, as given; its contents count in `modelHash`. nil: the model's classifier
    package var classes: String?
    /// The size of the images that the model reads, S or HEIGHTxWIDTH; nil: the model's own
    package var imageSize: String?
    package var donor: String?
    package var donorHash: String?
    /// The file that activations were taken from, as given, and its sha256 (hex)
    package var patchFile: String?
    package var patchFileHash: String?
    /// The data path as given, or `demo`
    package var data: String
    /// Fingerprint of the data set
    package var dataHash: String
    /// The whole sweep as JSON
    package var spec: String
    /// SPEC texts; a record's `corruption` is an index into this list
    package var corruptions: [String]
    /// A record's `patch` is an index into this list
    package var patches: [PatchRecord]
    package var classNames: [String]
    /// The model's number of layers, to which windows at the edge are cut; nil if the store does not have it
    package var layers: Int?
    package var seed: UInt64
    /// Noise draws per image
    package var samples: Int
    package var offset: Int
    /// nil: all images
    package var limit: Int?
    /// `I/N`, nil: not a shard
    package var shard: String?
    /// all | clean-correct | flipped
    package var keep: String
    /// label | clean
    package var target: String
    /// pooled | clean | corrupted | a class's index; nil in stores of versions that always took `corrupted`
    package var foil: String?
    /// clean | zero | mean | resample | file:FILE: the activations patched in; nil if only the store's spec has it
    package var patchWith: String?
    /// any | other-class: the images that resample takes; nil in stores of versions that always took `any`
    package var partner: String?
    /// image | data: the standard deviation that scales noise; nil in stores of versions that always took the image's
    package var noiseSD: String?
    /// Whether the store keeps every pass's logits
    package var logits: Bool
    /// The number of random places asked for, for every extent of several places
    package var control: Int
    /// Column names of the estimates: `atp_log_odds`; empty if nothing is estimated
    package var estimates: [String] = []
    /// The patches that get exact passes besides estimates: `top:50,random:30`, `none`; nil: all
    package var exact: String?
    /// The number of images with exact passes; nil: all
    package var exactImages: Int?
    /// all | top:K: the sweep's patches that are patched in pairs; nil: none
    package var pairs: String?
    /// The number of pairs; they are the first of the patches with members
    package var pairCount: Int?
    /// The number of orders for Shapley values; nil: none
    package var shapley: Int?
    /// The preprocessing of images, if the model's folder does not define it
    package var preprocessing: String?
    /// The library whose resizing is reproduced: pillow | torchvision; nil in stores of versions that had only Pillow's
    package var resize: String?
    /// `'Cat' is 3 'cat'` for each class of the data whose name differs from its label's
    package var classMatch: [String]?
    /// The model's tokens; nil in stores of versions that read only CLS
    package var tokens: TokenLayout?
    /// `apply` where EXIF's orientation was applied, else nil
    package var exif: String?
    /// The number of unreadable images left out; nil if an unreadable image ends the sweep, or the sweep has not
    /// finished
    package var skipped: Int?
    /// Their ids; empty in stores of versions that kept only their number
    package var skippedIDs: [String] = []
    package var device: String
    package var driver: String
    package var precision: String
    /// The GEMM provider and its parameters
    package var gemm: String
    package var host: String
    /// The command line
    package var command: String
    /// UTC, ISO 8601
    package var started: String
    /// UTC, ISO 8601; nil until the sweep has finished
    package var ended: String?

    package init(
        version: String, model: String, modelHash: String, donor: String? = nil, donorHash: String? = nil,
        data: String, dataHash: String, spec: String, corruptions: [String], patches: [PatchRecord],
        classNames: [String], seed: UInt64 = 0, samples: Int = 1, offset: Int = 0, limit: Int? = nil,
        shard: String? = nil, keep: String = "all", target: String = "label", device: String = "",
        driver: String = "", precision: String = "fp32", gemm: String = "", host: String = "",
        command: String = "", started: String = Manifest.timestamp(), ended: String? = nil, layers: Int? = nil,
        logits: Bool = false, control: Int = 0, preprocessing: String? = nil
    ) {
        self.layers = layers
        self.logits = logits
        self.control = control
        self.preprocessing = preprocessing
        self.version = version
        self.model = model
        self.modelHash = modelHash
        self.donor = donor
        self.donorHash = donorHash
        self.data = data
        self.dataHash = dataHash
        self.spec = spec
        self.corruptions = corruptions
        self.patches = patches
        self.classNames = classNames
        self.seed = seed
        self.samples = samples
        self.offset = offset
        self.limit = limit
        self.shard = shard
        self.keep = keep
        self.target = target
        self.device = device
        self.driver = driver
        self.precision = precision
        self.gemm = gemm
        self.host = host
        self.command = command
        self.started = started
        self.ended = ended
    }

    /// The patches that the sweep was asked for. Random places and sets of places come after them in `patches`.
    package var ownPatches: ArraySlice<PatchRecord> { patches.prefix(while: \.isOwn) }

    /// Indices of the patches of two places that `--pairs` asked for
    package var pairPatches: ArraySlice<Int> {
        patches.indices.filter { patches[$0].members != nil }.prefix(pairCount ?? 0)
    }

    /// Whether every patch gets exact passes
    package var hasAllExact: Bool { exact == nil || exact == "all" }

    /// The activations patched in: `clean` (the other pass), `zero` ...
    package var putIn: String {
        if let patchWith { return patchWith }
        let spec = try? JSONSerialization.jsonObject(with: Data(spec.utf8))
        return (spec as? [String: Any])?["patchWith"] as? String ?? "clean"
    }

    /// Now, UTC, ISO 8601, e.g. `2025-01-31T12:00:00Z`
    package static func timestamp() -> String { Date().ISO8601Format() }
}
