import Patch

/// The places of a sweep that are also patched in pairs.
package enum Pairs: Sendable, Equatable, CustomStringConvertible {
    case none
    /// All pairs
    case all
    /// All pairs of the K strongest
    case top(Int)

    static let mostStrongest = 1000
    /// Most pairs of one direction
    static let most = 10_000

    package init?(_ text: String) {
        switch text {
        case "none": self = .none
        case "all": self = .all
        case let text where text.hasPrefix("top:"):
            guard let count = Int(text.dropFirst(4)), (2...Self.mostStrongest).contains(count),
                "top:\(count)" == text
            else { return nil }
            self = .top(count)
        default: return nil
        }
    }

    package var description: String {
        switch self {
        case .none: "none"
        case .all: "all"
        case .top(let count): "top:\(count)"
        }
    }
}

/// Sets of a sweep's places that are patched together, for `--pairs` and `--shapley`.
extension SweepSpec {
    /// Most places of one direction for Shapley values
    package static let mostShapleyPlaces = 32

    /// All pairs of `places` that do not overlap.
    ///
    /// - Parameter places: indices into `items`, of one direction
    /// - Throws: `SpecError` where there are too many pairs, or none
    package static func pairs(of places: [Int], among items: [Item], _ pairs: Pairs) throws(SpecError) -> [[Int]] {
        func fail(_ what: String) -> SpecError {
            SpecError("\(SweepKey.pairs.flag) \(pairs): \(what)", origin: .commandLine)
        }
        let places = places.sorted(), count = places.count * (places.count - 1) / 2
        guard count <= Pairs.most else {
            throw fail(
                "\(places.count) places make \(count) pairs, expected at most \(Pairs.most); top:K takes the strongest")
        }
        let found = places.indices.flatMap { first in
            places[(first + 1)...].filter { !items[places[first]].patch.overlaps(items[$0].patch) }.map {
                [places[first], $0]
            }
        }
        guard !found.isEmpty else { throw fail("no two places of this sweep can be patched together") }
        return found
    }

    /// The sets that `orders` of `places` pass through, without single places.
    ///
    /// - Parameters:
    ///   - places: indices into `items`, of one direction
    ///   - orders: of indices into `places`
    /// - Throws: `SpecError` where there are too few or too many places, or two of them overlap
    package static func shapleySets(
        of places: [Int], among items: [Item], orders: [[Int]]
    ) throws(SpecError) -> [[Int]] {
        func fail(_ what: String) -> SpecError {
            SpecError("\(SweepKey.shapley.flag) \(orders.count): \(what)", origin: .commandLine)
        }
        guard (2...mostShapleyPlaces).contains(places.count) else {
            throw fail(
                "the sweep has \(places.count) places that are a finding in one direction, expected 2 to \(mostShapleyPlaces); "
                    + "--layers and --heads choose some")
        }
        for (first, a) in places.enumerated() {
            if let b = places[(first + 1)...].first(where: { items[a].patch.overlaps(items[$0].patch) }) {
                throw fail("\(items[a].name) and \(items[b].name) overlap; choose places that do not")
            }
        }
        var sets: [[Int]] = [], seen: Set<[Int]> = []
        for order in orders {
            for count in 2...places.count {
                let set = order.prefix(count).map { places[$0] }.sorted()
                if seen.insert(set).inserted { sets.append(set) }
            }
        }
        return sets
    }

    /// A patch of all `members`, indices into `items`; its site is the list of its parts.
    package static func item(of members: [Int], among items: [Item]) -> Item {
        var item = items[members[0]]
        item.patch = Patch(merging: members.map { items[$0].patch })
        item.site = members.map { items[$0].patch.parts.map(\.text).joined(separator: " + ") }.joined(separator: ", ")
        (item.layer, item.head, item.token, item.window, item.members) = ("", "", "", "", members)
        return item
    }
}

extension SweepSpec.Item {
    /// For messages
    fileprivate var name: String { patch.parts.map(\.text).joined(separator: " + ") }
}
