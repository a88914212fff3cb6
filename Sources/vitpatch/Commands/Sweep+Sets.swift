import Results
import Spec

extension Sweep {
    /// The sets of places of `--pairs` and `--shapley`, and the number of pairs; nil: no pairs are asked for.
    func placeSets(_ sweep: LoadedSweep) throws -> (items: [SweepSpec.Item], pairs: Int?) {
        let setup = sweep.setup, settings = setup.settings, own = setup.own, folder = setup.folder
        guard settings.pairs != .none || settings.shapley > 0 else { return ([], nil) }
        if !resume {
            // The folder is checked before the places are ranked.
            try ResultsError.naming("--resume continues it, --overwrite replaces it") {
                _ = try NewStore(folder: folder, manifest: manifest(sweep, setup.items), overwrite: overwrite)
            }
        }
        let sets = PlaceSets(
            manifest: try manifest(sweep, own), items: own, pairs: settings.pairs, orders: settings.shapley)
        let found = try sets.items(stored: resume ? ResultsStore.open(folder: folder).manifest : nil) {
            // The images without --shard, as all shards must have the same pairs.
            let images = Array(
                try OptionText.images(settings, count: setup.data.dataset.count).prefix(PlaceSets.mostRankingImages))
            return try sets.rank(images: images.count) { start in
                let run = sweep.run(
                    own, into: sweep.store(start, keepLogits: false, profiler: nil), isRanking: true)
                return try run.run(
                    images: setup.corruptions.map { _ in images }, chosen: Array(own.indices),
                    plan: sweep.plan(own.map(\.patch), images: images.count), keep: settings.keep,
                    run.prepare(hasMidpoints: false, sweep.interruption), sweep.interruption)
            }
        }
        return (found.items, settings.pairs == .none ? nil : found.pairs)
    }
}
