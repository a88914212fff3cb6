import Patch
import Reference
import TestSupport
import Testing
import ViT

/// Estimates of every kind of patch against estimates from `Sources/Reference`'s gradients in Double.
@Suite(.serialized) struct EstimateReferenceTests {
    static let size = TinySize(heads: 3, headDim: 5, layers: 2, intermediateSize: 13, grid: 2, classes: 4)

    @Test func everyPlace() throws {
        let lab = try Lab(Self.size, images: 2)
        try lab.expectEstimates(lab.everyCombination())
        try lab.expectEstimates(try Lab.severalSites(lab.rig.config))
    }

    @Test(arguments: [PatchWith.zero, .mean, .resample])
    func everythingThatIsPutIn(_ with: PatchWith) throws {
        let lab = try Lab(Self.size, images: 2, meanOf: 3)
        let sites = Site.allCases.filter { with != .mean || $0 != .pattern }
        try lab.expectEstimates(lab.everyCombination(with: with, sites: sites))
    }

    @Test func donors() throws {
        let lab = try Lab(Self.size, images: 2, donor: true)
        try lab.expectEstimates(lab.everyCombination())
    }

    @Test func noise() throws {
        let lab = try Lab(Self.size, images: 2, noise: 1.5)
        try lab.expectEstimates(lab.everyCombination())
    }
}

extension Lab {
    static func severalSites(_ config: ViTConfig) throws -> [Patch] {
        let all = Array(0..<config.layers)
        return Direction.allCases.flatMap { direction in
            [
                [Site.attnOut, .mlpOut], [.q, .k], [.v, .pattern], [.q, .k, .v], [.z, .mlpAct], [.residPre, .mlpOut],
            ].map {
                Patch(direction: direction, sites: $0, layers: all)
            } + [Patch(direction: direction, sites: [.residPost, .residMid], layers: all, tokens: [0, 1])]
        }
    }

    /// Runs the estimates and compares each with the reference, within 1e-4 of the summed magnitudes of its terms.
    func expectEstimates(_ patches: [Patch], _ location: SourceLocation = #_sourceLocation) throws {
        let estimates = Estimates(methods: [.atp, .ig(2)], metrics: [.logOdds, .logitDiff, .logit])
        let result = try self.estimates(patches, estimates)
        var gradients: [String: (activations: ReferenceActivations, gradients: ReferenceActivations)] = [:]
        var hasEffect = false
        for image in 0..<images {
            for (index, patch) in patches.enumerated() {
                let receiver = embedding(patch.direction == .restore ? "corrupted" : "clean", image)
                let source = source(of: patch, image: image)
                let end = source[ReferencePlace(.embed, layer: 0)] ?? []
                for (column, estimate) in estimates.all.enumerated() {
                    let metric: ReferenceMetric =
                        switch estimate.metric {
                        case .logOdds, .p: .logOdds
                        case .logitDiff: .logitDifference
                        case .logit: .logit
                        }
                    func at(_ position: Double?) -> (activations: ReferenceActivations, gradients: ReferenceActivations)
                    {
                        let key =
                            "\(image) \(metric) \(patch.direction) "
                            + (position.map { "\($0) \(patch.with) \(donor != nil)" } ?? "")
                        if let known = gradients[key] { return known }
                        let made = reference.gradients(
                            of: metric,
                            embedded: position.map { p in zip(receiver, end).map { $0 + p * ($1 - $0) } } ?? receiver,
                            target: result.wave.targets[image], foil: result.wave.foils[image])
                        gradients[key] = made
                        return made
                    }
                    let own = at(nil).activations
                    let used = estimate.method == .atp ? [at(nil)] : [at(0.25), at(0.75)]
                    var sum = 0.0, size = 0.0
                    for pass in used {
                        let one = self.estimate(patch, gradient: pass.gradients, receiver: own, source: source)
                        sum += one.sum / Double(used.count)
                        size += one.size / Double(used.count)
                    }
                    let found = Double(result.values[column][image][index])
                    #expect(
                        abs(found - sum) < 1e-4 * (1 + size),
                        "seed \(seed), \(estimate.name): \(describe(patch)): \(found) for \(sum)",
                        sourceLocation: location)
                    hasEffect = hasEffect || abs(sum) > 0.01
                }
            }
        }
        #expect(hasEffect, "seed \(seed)", sourceLocation: location)
    }

    /// Gradient times difference over a patch's places, and the sum of its terms' magnitudes.
    private func estimate(
        _ patch: Patch, gradient: ReferenceActivations, receiver: ReferenceActivations, source: ReferenceActivations
    ) -> (sum: Double, size: Double) {
        let heads = reference.heads, tokens = reference.tokens, headDim = reference.headDim
        var sum = 0.0, size = 0.0
        func add(_ g: [Double], _ a: [Double], _ b: [Double], _ part: Part, isMixed: Bool) {
            let groups = part.site.hasHeads ? heads : 1, width = a.count / groups / tokens
            for head in part.heads ?? Array(0..<groups) {
                for token in (isMixed ? nil : part.tokens) ?? Array(0..<tokens) {
                    for column in part.neurons ?? Array(0..<width) {
                        let at = (head * tokens + token) * width + column
                        sum += g[at] * (a[at] - b[at])
                        size += abs(g[at] * (a[at] - b[at]))
                    }
                }
            }
        }
        // Of streams patched whole only the last counts; places before it have no effect.
        let places = patch.parts.flatMap { part in (part.site.hasLayers ? part.layers : [0]).map { (part, $0) } }
        func order(_ site: Site) -> Int { Site.order.firstIndex(of: site) ?? 0 }
        let last = places.filter { Site.streams.contains($0.0.site) && $0.0.tokens == nil }
            .map { ($0.1, order($0.0.site)) }.max { $0 < $1 }
        for (part, layer) in places {
            guard let site = ReferenceSite(rawValue: part.site.rawValue) else { continue }
            if let last, (layer, order(part.site)) < last { continue }
            func at(_ values: ReferenceActivations, _ site: ReferenceSite) -> [Double] {
                values[ReferencePlace(site, layer: layer)] ?? []
            }
            guard [.q, .k, .pattern].contains(part.site) else {
                add(at(gradient, site), at(source, site), at(receiver, site), part, isMixed: false)
                continue
            }
            // Patched in, then through the softmax and the values
            var put = at(receiver, site)
            let width = put.count / heads / tokens
            for head in 0..<heads {
                for token in part.tokens ?? Array(0..<tokens) {
                    for column in 0..<width {
                        let index = (head * tokens + token) * width + column
                        put[index] = at(source, site)[index]
                    }
                }
            }
            let pattern =
                switch part.site {
                case .q: attentionPattern(q: put, k: at(receiver, .k), heads: heads, tokens: tokens, headDim: headDim)
                case .k: attentionPattern(q: at(receiver, .q), k: put, heads: heads, tokens: tokens, headDim: headDim)
                default: put
                }
            let z = attentionMix(
                pattern: pattern, v: at(receiver, .v), heads: heads, tokens: tokens, headDim: headDim)
            add(at(gradient, .z), z, at(receiver, .z), part, isMixed: true)
        }
        return (sum, size)
    }
}

extension Site {
    /// In the order in which a layer computes the sites
    static let order: [Site] = [
        .embed, .residPre, .q, .k, .v, .pattern, .z, .attnOut, .residMid, .mlpPre, .mlpAct, .mlpOut, .residPost,
    ]
    static let streams: Set<Site> = [.embed, .residPre, .residMid, .residPost]
}
