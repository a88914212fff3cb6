import Foundation
import Patch
import Report
import Results
import Spec

extension Sweep {
    /// Indices of the patches that get exact passes. They are chosen by the estimates once, and stored.
    func chosenPatches(
        _ settings: SweepSettings, _ estimates: Estimates, of patches: [Patch], _ store: SweepStore
    ) throws -> [Int] {
        guard case .top(let top, let random) = settings.exact else { return Array(patches.indices) }
        let results = try store.open()
        if let known = try results.exactPatches(), !known.isEmpty { return known.map(\.patch) }
        let chosen = try ExactChoice.patches(
            top, random: random, by: estimates.names[0], in: results, seed: settings.seed)
        try results.setExactPatches(chosen)
        return chosen.map(\.patch)
    }

    func sayEstimated(_ outcome: SweepTally.Outcome, patches: Int) throws {
        if outcome.images == 0 { return }
        Terminal.standardError(
            "\(patches) patch\(patches == 1 ? "" : "es") estimated on \(counted(outcome.images, "image")) in \(Progress.measured(outcome.seconds))\n"
        )
    }
}
