import CLRuntime
import Files
import Foundation

/// A GEMM provider with its parameters, as used by a sweep.
package struct GEMMChoice: Codable, Sendable, Equatable {
    package var provider: GEMMProvider
    /// The packed provider's tile; nil for its default
    package var tile: PackedGEMM.Tile?
    /// CLBlast's tile; nil for its database's parameters
    package var clblast: CLBlastGEMM.Tile?
    /// The tiled provider's tile; nil for its default
    package var tiled: TiledGEMM.Tile?
    /// nil for fp32
    package var precision: Precision?
    /// Speed of each other precision relative to this choice, measured by `vitpatch tune`
    package var factors: [String: Double]?

    package init(
        provider: GEMMProvider, tile: PackedGEMM.Tile? = nil, clblast: CLBlastGEMM.Tile? = nil,
        tiled: TiledGEMM.Tile? = nil, precision: Precision? = nil
    ) {
        (self.provider, self.tile, self.clblast, self.tiled) = (provider, tile, clblast, tiled)
        self.precision = precision
    }

    /// The default without measurements: packed on CPUs, where CLBlast's defaults reach a tenth of the peak; tiled
    /// elsewhere.
    package init(device: Device) { self.init(provider: GEMMProvider(device: device)) }

    /// The device's provider for a precision other than fp32
    package init(device: Device, precision: Precision) {
        self.init(provider: GEMMProvider(device: device, precision: precision), precision: precision)
    }

    package func make(_ library: KernelLibrary) throws(CLError) -> any GEMM {
        let gemm = try makeAlone(library)
        if !gemm.precision.isSplit { return gemm }
        return WideGEMM(wide: gemm, narrow: try GEMMProvider(device: library.context.device).make(library))
    }

    /// The same without `WideGEMM`: products of all sizes are the provider's, as checks want them.
    package func makeAlone(_ library: KernelLibrary) throws(CLError) -> any GEMM {
        switch provider {
        case .clblast: try CLBlastGEMM(library, tile: clblast)
        case .packed: try PackedGEMM(library, tile: tile)
        case .tiled: try TiledGEMM(library, tile: tiled)
        case .tensor: try TensorCoreGEMM(library, precision: precision ?? .bf16x3)
        case .wgmma: try WarpgroupGEMM(library, precision: precision ?? .bf16x3)
        case .amx: try AMXGEMM(library, precision: precision ?? .bf16x3)
        }
    }

    /// Whether all tiles can be built: those read from a file may have any values.
    package var isSound: Bool { (tile?.isSound ?? true) && (clblast?.isSound ?? true) && (tiled?.isSound ?? true) }
}

/// Choices measured by `vitpatch tune`: one file per device in the cache folder, named by platform, device and driver.
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
        // A tile that this program can no longer build counts as not measured.
        return choice.isSound ? choice : nil
    }

    package func store(_ choice: GEMMChoice, for device: Device) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try AtomicFile.write(encoder.encode(choice), to: path(for: device))
    }
}
