/// One image's clean and corrupted passes under one corruption: the columns of `export` that do not depend on
/// the patch. Averages over noise samples where there are several.
public struct ImageRecord: Sendable, Equatable {
    /// Position in the data's own order, after `--offset` and before `--keep`
    public var image: Int
    /// The `image` column, e.g. `deer/0007.jpg`
    public var id: String
    /// Index into the sweep's list of corruptions
    public var corruption: Int
    public var label: Int
    public var target: Int
    public var foil: Int
    public var clean: PassMetrics
    public var corrupted: PassMetrics
    /// False for an image that `--keep` filters out: it was seen, has no effects, and is not exported
    public var kept: Bool
    /// The donor's probability of the target in its own pass, where there is a donor with the same classes
    public var pDonor: Float?

    public init(
        image: Int, id: String, corruption: Int, label: Int, target: Int, foil: Int, clean: PassMetrics,
        corrupted: PassMetrics, kept: Bool = true, pDonor: Float? = nil
    ) {
        self.image = image
        self.id = id
        self.corruption = corruption
        self.label = label
        self.target = target
        self.foil = foil
        self.clean = clean
        self.corrupted = corrupted
        self.kept = kept
        self.pDonor = pDonor
    }
}

/// What one pass says of its target.
public struct PassMetrics: Sendable, Equatable {
    /// softmax probability of the target
    public var p: Float
    /// the target's logit
    public var logit: Float
    /// logit[target] - logit[foil]
    public var logitDiff: Float
    /// KL(clean || this pass) in nats
    public var kl: Float
    /// the most likely class
    public var prediction: Int

    public init(p: Float, logit: Float, logitDiff: Float, kl: Float, prediction: Int) {
        self.p = p
        self.logit = logit
        self.logitDiff = logitDiff
        self.kl = kl
        self.prediction = prediction
    }
}

/// The outcome of one patch on one image.
public struct EffectRecord: Sendable, Equatable {
    public var image: Int
    public var corruption: Int
    /// Index into the sweep's list of patches
    public var patch: Int
    public var patched: PassMetrics

    public init(image: Int, corruption: Int, patch: Int, patched: PassMetrics) {
        self.image = image
        self.corruption = corruption
        self.patch = patch
        self.patched = patched
    }
}

/// The columns that name a patch, as `export` writes them (empty where a column does not apply).
public struct PatchRecord: Sendable, Hashable, Codable {
    public var direction: String  // restore | noise
    public var site: String  // attn_out, attn_out+mlp_out
    public var layer: String  // the window's centre, or a set: 0+5
    public var head: String
    public var token: String
    public var window: String
    /// Whether it is a random place to compare the sweep's patches of its direction and extent with
    public var control: Bool
    /// How much it covers, in words: `attn_out 3 layers`; empty where the store does not say
    public var extent: String

    public init(
        direction: String, site: String, layer: String, head: String, token: String, window: String,
        control: Bool = false, extent: String = ""
    ) {
        self.direction = direction
        self.site = site
        self.layer = layer
        self.head = head
        self.token = token
        self.window = window
        self.control = control
        self.extent = extent
    }

    /// The columns that say where it is: what two sweeps have in common
    public var place: [String] { [direction, site, layer, head, token, window] }
}
