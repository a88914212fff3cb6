import Foundation
import Images
import Patch
import Report
import Spec
import ViT

extension Sweep {
    /// Throws for an option that no site of the sweep takes.
    func checkNothingIsIgnored(_ spec: SweepSpec) throws {
        for (index, places) in spec.allPlaces.enumerated() {
            var sites = try places.site.flatMap { try SweepSpec.sites($0) }
            if index == 0 { sites += spec.patches.flatMap { $0.parts.map(\.site) } }
            func check(_ option: String, _ value: String?, _ takesIt: (Site) -> Bool) throws {
                guard let value, !sites.contains(where: takesIt) else { return }
                let takers = Site.allCases.filter(takesIt).map(\.rawValue).joined(separator: ", ")
                let (name, of) = index == 0 ? ("--" + option, "this sweep") : (option, "its place")
                let text = "\(name) \(value): no site of \(of) takes it; it goes with \(takers)"
                throw index == 0 ? UsageError(text) : CommandError(text) as any Error
            }
            try check("heads", ["each", "all"].contains(places.heads) ? nil : places.heads, \.hasHeads)
            try check("neurons", places.neurons, \.hasNeurons)
            try check("layers", places.layers, \.hasLayers)
            try check("window", places.window.map { $0.map(String.init).joined(separator: ",") }, \.hasLayers)
        }
    }

    /// The random places; warns if there are none, or fewer than asked for.
    func controls(
        of items: [SweepSpec.Item], _ settings: SweepSettings, _ config: ViTConfig
    ) -> [SweepSpec.Item] {
        let controls = SweepSpec.controls(of: items, count: settings.control, config: config, seed: settings.seed)
        if settings.control > 0, !items.contains(where: { $0.patch.coversSeveralPlaces(config) }) {
            Terminal.warning(
                "--control \(settings.control): every patch of this sweep is a single place, which is compared with the others of its size; no random places are added"
            )
        }
        let counts = Dictionary(grouping: controls) { $0.patch.extent(config) }.mapValues { places in
            places.count / Set(places.map(\.direction)).count
        }
        for (extent, count) in counts.sorted(by: { $0.key < $1.key }) where count < settings.control {
            Terminal.warning("--control \(settings.control): the network has only \(count) other places of \(extent)")
        }
        return controls
    }

    /// Indices of the sweep's images in the data's order.
    func chosenImages(_ settings: SweepSettings, count: Int) throws -> [Int] {
        var range = try OptionText.images(settings, count: count)
        if let shard = settings.shard {
            let first = range.lowerBound, count = range.count
            range = (first + count * shard.index / shard.count)..<(first + count * (shard.index + 1) / shard.count)
            if range.isEmpty { throw UsageError("--shard \(shard): no image falls into this part") }
        }
        return Array(range)
    }

    func resumeCommand(_ folder: String) -> String {
        var words = CommandLine.arguments.filter { $0 != "--resume" && $0 != "--overwrite" }
        if out == nil { words += ["--out", folder] }
        if let shard, !words.contains(where: { $0.hasPrefix("--shard") }) { words += ["--shard", shard] }
        return (words + ["--resume"]).map(Self.quoted).joined(separator: " ")
    }

    /// Quoted as a POSIX shell needs it.
    static func quoted(_ word: String) -> String {
        let isPlain =
            !word.isEmpty
            && word.utf8.allSatisfy { byte in
                switch UInt8(byte) {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "_@%+=:,./-".utf8.contains(byte)
                }
            }
        return isPlain ? word : "'" + word.replacingOccurrences(of: "'", with: "'\\''") + "'"
    }

    static func timestamp() -> String {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.dateFormat = "yyyy-MM-dd-HHmmss"
        return formatter.string(from: Date())
    }
}
