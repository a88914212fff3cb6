extension Manifest {
    /// The differences between this sweep and the one in `stored`, as phrases for an error message; empty if both give
    /// the same numbers, so that one can continue the other. Model and data are compared by content, not by path; host,
    /// times and command line do not count.
    ///
    /// - Parameter words: the phrases' names for `stored` and for this manifest
    package func differences(
        from stored: Manifest, words: (stored: String, this: String) = ("there", "now")
    ) -> [String] {
        var found: [String] = []
        func compare(_ name: String, _ there: String?, _ now: String?) {
            guard there != now else { return }
            found.append("\(name) is \(there ?? "not set") \(words.stored) and \(now ?? "not set") \(words.this)")
        }
        func compareContent(_ name: String, _ there: (String?, String?), _ now: (String?, String?)) {
            guard there.1 != now.1 else { return }
            func text(_ named: (String?, String?)) -> String? {
                named.0.map { "\($0) (\((named.1 ?? "").prefix(12)))" }
            }
            found.append(
                "\(name) is \(text(there) ?? "not set") \(words.stored) and \(text(now) ?? "not set") \(words.this)")
        }
        compare("vitpatch", stored.version, version)
        compareContent("model", (stored.model, stored.modelHash), (model, modelHash))
        compare("image-size", stored.imageSize, imageSize)
        compareContent("donor", (stored.donor, stored.donorHash), (donor, donorHash))
        compareContent("patch-with file", (stored.patchFile, stored.patchFileHash), (patchFile, patchFileHash))
        compareContent("data", (stored.data, stored.dataHash), (data, dataHash))
        compare("corruption", stored.corruptions.joined(separator: " "), corruptions.joined(separator: " "))
        compare("seed", "\(stored.seed)", "\(seed)")
        compare("samples", "\(stored.samples)", "\(samples)")
        compare("offset", "\(stored.offset)", "\(offset)")
        compare("limit", stored.limit.map(String.init), limit.map(String.init))
        compare("shard", stored.shard, shard)
        compare("keep", stored.keep, keep)
        compare("target", stored.target, target)
        compare("foil", stored.foil ?? "corrupted", foil ?? "corrupted")
        compare("partner", stored.partner ?? "any", partner ?? "any")
        compare("noise-sd", stored.noiseSD ?? "image", noiseSD ?? "image")
        compare("control", "\(stored.control)", "\(control)")
        compare("estimate", stored.estimateText, estimateText)
        compare("exact", stored.hasAllExact ? "all" : stored.exact, hasAllExact ? "all" : exact)
        compare("exact-images", stored.exactImages.map(String.init) ?? "all", exactImages.map(String.init) ?? "all")
        compare("pairs", stored.pairs ?? "none", pairs ?? "none")
        compare("shapley", "\(stored.shapley ?? 0)", "\(shapley ?? 0)")
        compare("logits", stored.logits ? "kept" : "not kept", logits ? "kept" : "not kept")
        compare("device", stored.device, device)
        compare("driver", stored.driver, driver)
        compare("precision", stored.precision, precision)
        compare("gemm", stored.gemm, gemm)
        if stored.patches.count != patches.count {
            compare("the number of patches", "\(stored.patches.count)", "\(patches.count)")
        } else if let first = patches.indices.first(where: { !patches[$0].continues(stored.patches[$0]) }) {
            compare("patch \(first)", stored.patches[first].text, patches[first].text)
        }
        if stored.classNames != classNames { found.append("the class names differ") }
        if stored.classMatch != classMatch { found.append("the classes of the data are matched to other labels") }
        compare("resize", stored.resize ?? "pillow", resize ?? "pillow")
        compare("exif", stored.exif ?? "ignore", exif ?? "ignore")
        // The spec repeats the fields above, so it is compared only if they all agree.
        if found.isEmpty { compare("the spec", stored.spec, spec) }
        return found
    }

    private var estimateText: String? { estimates.isEmpty ? nil : estimates.joined(separator: " ") }
}

extension PatchRecord {
    /// Whether it equals the stored patch, whose extent may be missing.
    fileprivate func continues(_ stored: PatchRecord) -> Bool {
        var own = self
        if stored.extent.isEmpty { own.extent = "" }
        return own == stored
    }

    /// The columns that are set, in words: `restore attn_out layer 5 window 3`
    package var text: String {
        var parts = [control ? "control" : members == nil ? "" : "set", direction, site].filter { !$0.isEmpty }
        for (name, value) in [("layer", layer), ("head", head), ("token", token), ("window", window)]
        where !value.isEmpty {
            parts.append("\(name) \(value)")
        }
        return parts.joined(separator: " ")
    }
}
