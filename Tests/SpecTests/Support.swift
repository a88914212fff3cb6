import Foundation
import Patch
import ViT

@testable import Spec

let config = ViTConfig(
    hiddenSize: 12, layers: 5, heads: 3, intermediateSize: 17, imageSize: 16, patchSize: 4, labels: ["a", "b"])

/// The error of reading a spec, checking it, or fitting it to ``config``; nil if there is none.
func problem(_ yaml: String) -> String? {
    do {
        let options = try SweepOptions(yaml: yaml, name: "s.yaml")
        _ = try options.settings()
        _ = try options.spec(for: config)
        return nil
    } catch { return error.description }
}

/// The sweep of a spec in ``config``.
func sweep(_ yaml: String) throws -> SweepSpec { try SweepOptions(yaml: yaml, name: "s.yaml").spec(for: config) }

/// Flags by key, several values separated by spaces.
func flags(_ values: [SweepKey: String]) -> SweepOptions {
    var options = SweepOptions()
    for (key, text) in values { options.set(flag: key, text.split(separator: " ").map(String.init)) }
    return options
}
