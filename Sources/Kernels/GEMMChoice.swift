import CLRuntime
import Files
import Foundation

/// A GEMM provider with its parameters: what a sweep runs on.
package struct GEMMChoice: Codable, Sendable, Equatable {
    package var provider: GEMMProvider
    /// The packed provider's tile; nil for its own choice
    package var tile: PackedGEMM.Tile?
    /// CLBlast's; nil for what its database says
    package var clblast: CLBlastGEMM.Tile?
    /// The tiled provider's; nil for its own choice
    package var tiled: TiledGEMM.Tile?
    /// nil for fp32
    package var precision: Precision?
    /// What `vitpatch tune` measured beside it: how many times as fast each other precision is
    package var factors: [String: Double]?

    package init(
        provider: GEMMProvider, tile: PackedGEMM.Tile? = nil, clblast: CLBlastGEMM.Tile? = nil,
        tiled: TiledGEMM.Tile? = nil, precision: Precision? = nil
    ) {
        (self.provider, self.tile, self.clblast, self.tiled) = (provider, tile, clblast, tiled)
        self.precision = precision
    }

    /// What is good without measuring: packed on CPUs, where CLBlast's defaults reach a tenth of the machine; tiled
    /// elsewhere.
    package init(device: Device) { self.init(provider: GEMMProvider(device: device)) }

    /// What runs a precision other than fp32 that the device has
    package init(device: Device, precision: Precision) {
        self.init(provider: GEMMProvider(device: device, precision: precision), precision: precision)
    }

    package func make(_ library: KernelLibrary) throws(CLError) -> any GEMM {
        switch provider {
        case .clblast: try CLBlastGEMM(library, tile: clblast)
        case .packed: try PackedGEMM(library, tile: tile)
        case .tiled: try TiledGEMM(library, tile: tiled)
        case .tensor: try TensorCoreGEMM(library, precision: precision ?? .bf16x3)
        case .amx: try AMXGEMM(library, precision: precision ?? .bf16x3)
        }
    }

    /// Whether all can be built: read from a file, they may be anything.
    package var isSound: Bool { (tile?.isSound ?? true) && (clblast?.isSound ?? true) && (tiled?.isSound ?? true) }
}

/// Choices that `vitpatch tune` measured, one file a device in the cache folder, keyed by device, platform and driver.
package struct GEMMChoices: Sendable {
    private let folder: String

    /// nil where there is no cache folder
    package init?(cache: ProgramCache? = .standard) {
        guard let cache else { return nil }
        folder = cache.folder
    }

    package func path(for device: Device) -> String {
        let text = "\(device.platformName) \(device.name) \(device.driver)"
        let safe = text.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
        return "\(folder)/gemm-\(String(safe)).json"
    }

    /// nil where nothing was measured, or the file cannot be read
    package func load(for device: Device) -> GEMMChoice? {
        guard let data = FileManager.default.contents(atPath: path(for: device)),
            let choice = try? JSONDecoder().decode(GEMMChoice.self, from: data)
        else { return nil }
        // A tile that does not fit this program any more is as good as none.
        return choice.isSound ? choice : nil
    }

    package func store(_ choice: GEMMChoice, for device: Device) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try AtomicFile.write(encoder.encode(choice), to: path(for: device))
    }
}
