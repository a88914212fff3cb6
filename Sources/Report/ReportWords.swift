import Results

/// Settings in words.
enum ReportWords {
    static func site(_ name: String) -> String {
        let parts = name.split(separator: "+").map { part -> String? in
            switch part {
            case "embed": "the embeddings that enter the encoder"
            case "resid_pre": "the residual stream before a layer"
            case "resid_mid": "the residual stream between attention and MLP"
            case "resid_post": "the residual stream after a layer"
            case "attn_out": "what attention adds to the residual stream"
            case "mlp_out": "what the MLP adds to the residual stream"
            case "z": "the heads' outputs before their projection"
            case "q": "the heads' queries"
            case "k": "the heads' keys"
            case "v": "the heads' values"
            case "pattern": "the attention pattern"
            case "mlp_act": "the MLP's hidden activations"
            default: nil  // a patch spelled out, which names itself
            }
        }
        let known = parts.compactMap { $0 }
        return known.count < parts.count ? name : "\(name) (\(known.joined(separator: " and ")))"
    }

    static func corruption(_ spec: String) -> String {
        let parts = spec.split(separator: ":", maxSplits: 1).map(String.init)
        let value = parts.count > 1 ? parts[1] : ""
        let text =
            switch parts.first ?? "" {
            case "none": "the images are left as they are"
            case "grayscale": "the images lose their colours"
            case "blur": "the images are blurred, a Gaussian of \(value) source pixels"
            case "noise":
                "noise of \(value) standard \(value == "1" ? "deviation" : "deviations") is added to the patch embeddings"
            case "channel": "the channel \(value) takes the place of all three"
            case "shuffle": "a grid of \(value) × \(value) parts of the image is shuffled"
            case "mask": "a share of \(value) of the patches is zeroed"
            case "mean": "the mean image takes the image's place"
            case "pair": "another image takes the image's place"
            default: ""
            }
        return text.isEmpty ? spec : "\(spec) (\(text))"
    }

    /// What the number of a corruption says, for an axis.
    static func dose(_ kind: String) -> String {
        switch kind {
        case "blur": "blur sigma, source pixels"
        case "noise": "noise, standard deviations"
        case "shuffle": "shuffle, parts a side"
        case "mask": "mask, share of the patches"
        default: kind
        }
    }

    static func direction(_ name: String) -> String {
        name == "noise"
            ? "noise: corrupted activations are put into the clean pass"
            : "restore: clean activations are put into the corrupted pass"
    }

    static func list(_ items: [String]) -> String {
        guard let last = items.last, items.count > 1 else { return items.first ?? "" }
        return items.dropLast().joined(separator: ", ") + " and " + last
    }

    static func keep(_ keep: String) -> String {
        switch keep {
        case "clean-correct": "those the clean pass gets right"
        case "flipped": "those the clean pass gets right and the corrupted pass wrong"
        default: "all"
        }
    }

    /// The last component of a path.
    static func name(_ path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }

    /// What the report asks.
    static func question(_ manifest: Manifest) -> String {
        let sites = unique(manifest.ownPatches.map(\.site))
        let directions = unique(manifest.ownPatches.map(\.direction))
        let what =
            manifest.corruptions.count == 1
            ? corruptionClause(manifest.corruptions[0])
            : "When information is taken from the images (\(list(manifest.corruptions)))"
        let ask =
            directions == ["noise"]
            ? "which places of the network does the answer need?" : "which places of the network bring the answer back?"
        let how = directions.map {
            $0 == "noise"
                ? "the clean pass is run again with corrupted activations put in at one place at a time"
                : "the corrupted pass is run again with clean activations put in at one place at a time"
        }
        return "\(what), \(ask) Every image is passed clean and corrupted; then \(list(how)): "
            + "\(list(sites.prefix(6).map(site)))."
    }

    private static func corruptionClause(_ spec: String) -> String {
        let text = corruption(spec)
        guard let open = text.firstIndex(of: "("), text.hasSuffix(")") else { return "Under the corruption \(spec)" }
        return "When " + text[text.index(after: open)...].dropLast()
    }
}
