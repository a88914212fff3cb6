import Images
import Patch
import Report
import Spec

extension Sweep {
    /// Warns of missing files among the images that a resumed sweep has to do, which are left out. Throws if the sweep
    /// needs means over all images.
    /// - Returns: their ids
    func leaveOutMissing(
        of data: LabelledData, _ left: [[Int]], _ settings: SweepSettings, _ patches: [Patch]
    ) throws -> [String] {
        let missing = data.dataset.missing
        if missing.isEmpty { return [] }
        let asked = Set(left.flatMap { $0 }).intersection(missing).sorted()
        if !left.allSatisfy(\.isEmpty) {
            let whole =
                patches.contains { $0.with == .mean }
                ? "--patch-with mean"
                : settings.corruptions.contains { $0.spec == "mean" }
                    ? "--corruption mean"
                    : settings.noiseDeviation == .data ? "--noise-sd data" : nil
            if let whole {
                throw CommandError(
                    "\(counted(missing.count, "file")) of \(data.dataset.name) are gone since the sweep began, and \(whole) "
                        + "is made of all of them; put them back or begin anew")
            }
        }
        for index in asked {
            Terminal.warning("left out: \(data.dataset.id(index)) is gone since the sweep began")
        }
        return asked.map(data.dataset.id)
    }
}
