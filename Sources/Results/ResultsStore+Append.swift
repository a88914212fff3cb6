extension ResultsStore {
    /// Adds one wave, in one transaction: after an error or a kill either all of it is stored or nothing.
    ///
    /// An image whose patches span several waves may be sent with each of them; its first row stays.
    ///
    /// - Throws: `ResultsError.invalidRecord` for an index or a name outside the manifest, `.diskFull`, `.readOnly`,
    ///   `.failed` (among others, for an effect or estimate that is already stored, or whose image is not)
    package func append(
        images: [ImageRecord], effects: [EffectRecord], estimates: [EstimateRecord] = [], logits: [LogitsRecord] = []
    ) throws {
        try check(images: images, effects: effects)
        try check(estimates: estimates)
        try write { db in
            let image = try Cursor(
                db,
                """
                INSERT INTO images VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT(image, corruption) DO NOTHING
                """)
            for record in images {
                image.bind(1, record.image)
                image.bind(2, record.corruption)
                image.bind(3, record.id)
                image.bind(4, record.label)
                image.bind(5, record.target)
                image.bind(6, record.foil)
                image.bind(7, record.kept ? 1 : 0)
                image.bind(8, record.clean.p)
                image.bind(9, record.corrupted.p)
                image.bind(10, record.clean.logit)
                image.bind(11, record.corrupted.logit)
                image.bind(12, record.clean.logitDiff)
                image.bind(13, record.corrupted.logitDiff)
                image.bind(14, record.corrupted.kl)
                image.bind(15, record.clean.prediction)
                image.bind(16, record.corrupted.prediction)
                image.bind(17, record.pDonor ?? .nan)
                image.bind(18, record.clean.logOdds)
                image.bind(19, record.corrupted.logOdds)
                image.bind(20, record.exact ? 1 : 0)
                try image.run()
            }
            let effect = try Cursor(db, "INSERT INTO effects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
            for record in effects {
                effect.bind(1, record.image)
                effect.bind(2, record.corruption)
                effect.bind(3, record.patch)
                effect.bind(4, record.patched.p)
                effect.bind(5, record.patched.logit)
                effect.bind(6, record.patched.logitDiff)
                effect.bind(7, record.patched.kl)
                effect.bind(8, record.patched.prediction)
                effect.bind(9, record.patched.logOdds)
                try effect.run()
            }
            try insert(estimates, db)
            try insert(logits, db)
        }
    }

    private func check(images: [ImageRecord], effects: [EffectRecord]) throws {
        let corruptions = manifest.corruptions.indices
        let patches = manifest.patches.indices
        if let bad = images.first(where: { !corruptions.contains($0.corruption) }) {
            throw ResultsError.invalidRecord(
                path: path, detail: "image \(bad.image) names corruption \(bad.corruption) of \(corruptions.count)")
        }
        if let bad = effects.first(where: { !corruptions.contains($0.corruption) || !patches.contains($0.patch) }) {
            throw ResultsError.invalidRecord(
                path: path,
                detail: "an effect of image \(bad.image) names corruption \(bad.corruption) of "
                    + "\(corruptions.count) and patch \(bad.patch) of \(patches.count)")
        }
    }
}
