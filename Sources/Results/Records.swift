/// One image's clean and corrupted passes under one corruption: the columns of `export` that do not depend on
/// the patch. Averages over noise samples where there are several.
package struct ImageRecord: Sendable, Equatable {
    /// Position in the data's own order, after `--offset` and before `--keep`
    package var image: Int
    /// The `image` column, e.g. `deer/0007.jpg`
    package var id: String
    /// Index into the sweep's list of corruptions
    package var corruption: Int
    package var label: Int
    package var target: Int
    package var foil: Int
    package var clean: PassMetrics
    package var corrupted: PassMetrics
    /// False for an image that `--keep` filters out: it was seen, has no effects, and is not exported
    package var kept: Bool
    /// The donor's probability of the target in its own pass, where there is a donor with the same classes
    package var pDonor: Float?
    /// Whether it gets exact passes besides its estimates
    package var exact: Bool

    package init(
        image: Int, id: String, corruption: Int, label: Int, target: Int, foil: Int, clean: PassMetrics,
        corrupted: PassMetrics, kept: Bool = true, pDonor: Float? = nil, exact: Bool = true
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
        self.exact = exact
    }
}

/// The metrics of one pass.
package struct PassMetrics: Sendable, Equatable {
    /// softmax probability of the target
    package var p: Float
    /// the target's logit
    package var logit: Float
    /// logit[target] - logit[foil]
    package var logitDiff: Float
    /// KL(clean || this pass) in nats
    package var kl: Float
    /// the most likely class
    package var prediction: Int
    /// logit[target] - logsumexp(the other logits); nan where it was not measured
    package var logOdds: Float

    package init(p: Float, logit: Float, logitDiff: Float, kl: Float, prediction: Int, logOdds: Float = .nan) {
        self.logOdds = logOdds
        self.p = p
        self.logit = logit
        self.logitDiff = logitDiff
        self.kl = kl
        self.prediction = prediction
    }

    /// Log-odds that were not measured (nan) count as equal.
    package static func == (a: PassMetrics, b: PassMetrics) -> Bool {
        a.p == b.p && a.logit == b.logit && a.logitDiff == b.logitDiff && a.kl == b.kl && a.prediction == b.prediction
            && (a.logOdds == b.logOdds || a.logOdds.isNaN && b.logOdds.isNaN)
    }
}

/// The outcome of one patch on one image.
package struct EffectRecord: Sendable, Equatable {
    package var image: Int
    package var corruption: Int
    /// Index into the sweep's list of patches
    package var patch: Int
    package var patched: PassMetrics

    package init(image: Int, corruption: Int, patch: Int, patched: PassMetrics) {
        self.image = image
        self.corruption = corruption
        self.patch = patch
        self.patched = patched
    }
}

/// The columns that name a patch, as `export` writes them (empty where a column does not apply).
package struct PatchRecord: Sendable, Hashable, Codable {
    package var direction: String  // restore | noise
    package var site: String  // attn_out, attn_out+mlp_out
    package var layer: String  // the window's centre, or a set: 0+5
    package var head: String
    package var token: String
    package var window: String
    /// Whether it is a random place with which the sweep's patches of its direction and extent are compared
    package var control: Bool
    /// Its size in words: `attn_out 3 layers`; empty if the store does not have it
    package var extent: String
    /// For places patched together (`--pairs`, `--shapley`): indices of the sweep's patches, ascending; else nil
    package var members: [Int]?

    package init(
        direction: String, site: String, layer: String, head: String, token: String, window: String,
        control: Bool = false, extent: String = "", members: [Int]? = nil
    ) {
        self.members = members
        self.direction = direction
        self.site = site
        self.layer = layer
        self.head = head
        self.token = token
        self.window = window
        self.control = control
        self.extent = extent
    }

    /// Whether the sweep was asked for it: no random place, and no set of places patched together
    package var isOwn: Bool { !control && members == nil }

    /// The column `control`: 0 for the sweep's own, 1 for random places, 2 for places patched together
    package var controlCode: Int { control ? 1 : members == nil ? 0 : 2 }

    /// The columns that name its place, by which patches of two sweeps are matched
    package var place: [String] { [direction, site, layer, head, token, window] }
}
