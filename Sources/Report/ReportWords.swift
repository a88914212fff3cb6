import Results
import Statistics

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
            case "mlp_pre": "the MLP's hidden layer before its activation"
            case "mlp_act": "the MLP's hidden activations"
            default: nil  // a patch spelled out, which describes itself
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

    /// The name and unit of a corruption's number, for an axis.
    static func dose(_ kind: String) -> String {
        switch kind {
        case "blur": "blur sigma, source pixels"
        case "noise": "noise, standard deviations"
        case "shuffle": "shuffle, parts a side"
        case "mask": "mask, share of the patches"
        default: kind
        }
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

    /// The reliability of the strongest patch as a sentence; nil if it was not measured.
    static func reliability(_ direction: DirectionStatistics) -> String? {
        direction.reliability.map {
            ($0.standsOut ? "Of" : "No single place stands out: of")
                + " \($0.splits) random splits of the images in halves, both halves have the same strongest place in "
                + "\(shareText($0.sameStrongest)) (a half agrees with all images in \(shareText($0.agreesWithAll))), their "
                + "profiles correlate with r = \(number($0.correlation, 2)), and a half's strongest place has an effect of "
                + "\(plus($0.heldOut, 3)) on the half that did not choose it."
        }
    }

    /// The last component of a path.
    static func name(_ path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }

    /// The question that the report answers, and how.
    static func question(_ manifest: Manifest) -> String {
        let sites = PatchRecord.sites(manifest.ownPatches)
        let words = unique(manifest.ownPatches.map(\.direction)).map { InterventionWords(manifest, direction: $0) }
        let isCorrupted = manifest.corruptions.contains { $0 != "none" }
        let what =
            !isCorrupted
            ? ""
            : manifest.corruptions.count == 1
                ? corruptionClause(manifest.corruptions[0]) + ", "
                : "When information is taken from the images (\(list(manifest.corruptions))), "
        let ask = list(unique(words.map { String($0.question.dropLast()) })) + "? "
        let passes =
            isCorrupted ? "Every image is run with clean and corrupted inputs; then " : "Every image is run once; then "
        let text = what + ask + passes + list(words.map(\.action)) + ": " + list(sites.prefix(6).map(site)) + "."
        return text.prefix(1).uppercased() + text.dropFirst()
    }

    private static func corruptionClause(_ spec: String) -> String {
        let text = corruption(spec)
        guard let open = text.firstIndex(of: "("), text.hasSuffix(")") else { return "Under the corruption \(spec)" }
        return "When " + text[text.index(after: open)...].dropLast()
    }
}
