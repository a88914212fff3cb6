import ViT

/// Which pass is the source and which the receiver.
package enum Direction: String, Codable, Sendable, CaseIterable {
    /// Clean activations into the corrupted pass: denoising, or causal tracing (Meng et al. 2022)
    case restore
    /// Corrupted activations into the clean pass; `noise` in files and on the command line
    case noising = "noise"
}

/// The source of the activations that are put in.
package enum PatchWith: String, Codable, Sendable, CaseIterable {
    /// The other pass's activations, clean or corrupted; `clean` in files and on the command line
    case other = "clean"
    /// Zeros
    case zero
    /// The mean over the clean passes of all images, token by token
    case mean
    /// The clean pass of another image
    case resample
    /// A file's activations for each image
    case file
}

/// Activations at one site, in some layers.
package struct Part: Codable, Sendable, Hashable {
    package var site: Site
    /// Layers from 0, ascending; empty for `embed`
    package var layers: [Int]
    /// nil: all; only for sites with heads
    package var heads: [Int]?
    /// nil: all; prefix tokens (CLS ...) come first; for `pattern`: query tokens
    package var tokens: [Int]?
    /// nil: all; only for sites with neurons
    package var neurons: [Int]?

    package init(site: Site, layers: [Int], heads: [Int]? = nil, tokens: [Int]? = nil, neurons: [Int]? = nil) {
        self.site = site
        self.layers = layers
        self.heads = heads
        self.tokens = tokens
        self.neurons = neurons
    }
}

/// One patched pass, as data: the receiving pass's activations at `parts` are replaced.
package struct Patch: Codable, Sendable, Hashable {
    package var direction: Direction
    package var with: PatchWith
    package var parts: [Part]

    package init(direction: Direction = .restore, with: PatchWith = .other, parts: [Part]) {
        self.direction = direction
        self.with = with
        self.parts = parts
    }

    /// Several sites in the same layers. `heads` applies to the sites that have heads.
    package init(
        direction: Direction = .restore, with: PatchWith = .other, sites: [Site], layers: [Int], heads: [Int]? = nil,
        tokens: [Int]? = nil
    ) {
        self.init(
            direction: direction, with: with,
            parts: sites.map {
                Part(site: $0, layers: $0.hasLayers ? layers : [], heads: $0.hasHeads ? heads : nil, tokens: tokens)
            })
    }

    /// The layers of a window of `width` centred on `centre`: [centre - floor(width / 2), centre + ceil(width / 2)),
    /// clipped to the network (the rule of ROME, Meng et al. 2022, `causal_trace.py`).
    package static func window(centre: Int, width: Int, layers: Int) -> [Int] {
        let low = max(0, centre - width / 2), high = min(layers, centre + width / 2 + width % 2)
        return low < high ? Array(low..<high) : []
    }

    /// Activations that source passes must keep during a stage.
    var kept: Workspace.Kept { parts.reduce([]) { $0.union($1.site.kept) } }
}

/// An error of a sweep; one sentence.
package enum SweepError: Error, CustomStringConvertible, Sendable {
    case memory(String)

    package var description: String {
        switch self {
        case .memory(let message): message
        }
    }
}
