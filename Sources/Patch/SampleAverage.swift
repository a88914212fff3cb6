import Foundation

/// One result of several noise draws: probabilities, logits, their differences and the divergence are averaged; the
/// prediction is the most likely class on average, and so is the foil. The kept logits are the averaged ones.
package struct SampleAverage {
    private let classes: Int
    private var count = 0
    private var last: WaveResult?
    private var donor: [Double] = []  // [images]  the donor's probabilities
    private var sums: [Sums] = []  // clean, corrupted, then the patches; [images] each in one

    /// Running sums of a block of passes
    private struct Sums {
        var probabilities: [Double]  // [images * C]
        var logits: [Double]  // [images * C]
        var kl: [Double]  // [images]
    }

    package init(classes: Int) { self.classes = classes }

    /// Adds one draw, which must have been run with its logits kept.
    package mutating func add(_ output: WaveResult) {
        let blocks = [output.cleanLogits, output.corruptedLogits] + output.patchedLogits
        let images = output.targets.count
        if sums.isEmpty {
            sums = blocks.map { block in
                Sums(
                    probabilities: [Double](repeating: 0, count: block.count),
                    logits: [Double](repeating: 0, count: block.count), kl: [Double](repeating: 0, count: images))
            }
        }
        if let passes = output.donor {
            if donor.isEmpty { donor = [Double](repeating: 0, count: passes.count) }
            for (image, pass) in passes.enumerated() { donor[image] += Double(pass.p) }
        }
        for image in 0..<images {
            let range = image * classes..<(image + 1) * classes
            let clean = Self.logSoftmax(output.cleanLogits[range])
            for block in blocks.indices {
                let logits = blocks[block][range]
                let logs = Self.logSoftmax(logits)
                var kl = 0.0
                for (c, at) in range.enumerated() {
                    sums[block].probabilities[at] += exp(logs[c])
                    sums[block].logits[at] += Double(logits[at])
                    kl += exp(clean[c]) * (clean[c] - logs[c])
                }
                sums[block].kl[image] += max(kl, 0)
            }
        }
        var kept = output
        (kept.cleanLogits, kept.corruptedLogits, kept.patchedLogits) = ([], [], [])
        kept.evaluations += last?.evaluations ?? 0
        last = kept
        count += 1
    }

    /// The average; nil before the first draw.
    package func result() -> WaveResult? {
        guard var output = last else { return nil }
        let images = output.targets.count
        output.foils = (0..<images).map { image in
            argmax(sums[1].probabilities[image * classes..<(image + 1) * classes], but: output.targets[image])
        }
        func passes(_ block: Sums) -> [WaveResult.Pass] {
            (0..<images).map { image in
                let first = image * classes, n = Double(count)
                let target = first + output.targets[image], foil = first + output.foils[image]
                return WaveResult.Pass(
                    p: Float(block.probabilities[target] / n), logit: Float(block.logits[target] / n),
                    logitDiff: Float((block.logits[target] - block.logits[foil]) / n), kl: Float(block.kl[image] / n),
                    prediction: argmax(block.probabilities[first..<(first + classes)], but: -1))
            }
        }
        output.clean = passes(sums[0])
        output.corrupted = passes(sums[1])
        output.patched = sums[2...].map(passes)
        for image in donor.indices { output.donor?[image].p = Float(donor[image] / Double(count)) }
        func logits(_ block: Sums) -> [Float] { block.logits.map { Float($0 / Double(count)) } }
        output.cleanLogits = logits(sums[0])
        output.corruptedLogits = logits(sums[1])
        output.patchedLogits = sums[2...].map(logits)
        return output
    }

    private static func logSoftmax(_ logits: ArraySlice<Float>) -> [Double] {
        let top = Double(logits.max() ?? 0)
        let sum = logits.reduce(0.0) { $0 + exp(Double($1) - top) }
        return logits.map { Double($0) - top - log(sum) }
    }

    private func argmax(_ values: ArraySlice<Double>, but skip: Int) -> Int {
        var best: Int?
        for (c, value) in values.enumerated() where c != skip {
            if let known = best, value <= values[values.startIndex + known] { continue }
            best = c
        }
        return best ?? max(skip, 0)
    }
}
