import CLRuntime

/// Devices whose hardware is alike for our kernels.
package enum DeviceFamily: String, Sendable, CaseIterable {
    case cpu, nvidia, amd, intelGPU, otherGPU

    package init(isGPU: Bool, vendor: String) {
        let vendor = vendor.lowercased()
        self =
            if !isGPU { .cpu } else if vendor.contains("nvidia") {
                .nvidia
            } else if vendor.contains("advanced micro")
                || vendor.contains("amd")
            { .amd } else if vendor.contains("intel") { .intelGPU } else { .otherGPU }
    }

    /// The tiles of `gemm_tiled.cl`, largest first: the first that fits the device, and smaller ones for few rows. All
    /// give the same bits. Registers decide: a tile's accumulators and the loop's other values must fit into those of a
    /// work-item.
    package var tiles: [TiledGEMM.Tile] {
        let small = TiledGEMM.Tile(rows: 32, columns: 32, depth: 16, rowsPerItem: 4, columnsPerItem: 4)
        return switch self {
        // 255 registers, of which 254 are used (docs/static-check.txt); measured on H100 and H200.
        case .nvidia:
            [
                TiledGEMM.Tile(rows: 256, columns: 128, depth: 16, rowsPerItem: 16, columnsPerItem: 8),
                TiledGEMM.Tile(rows: 128, columns: 64, depth: 16), TiledGEMM.Tile(rows: 64, columns: 64, depth: 16),
                small,
            ]
        // 256 registers, in wavefronts of 64 (gfx90a) and of 32 (gfx1100): larger tiles or steps of 16 spill on both,
        // these on neither (docs/static-check.txt). Not run yet.
        case .amd: [TiledGEMM.Tile(rows: 128, columns: 128), TiledGEMM.Tile(rows: 64, columns: 64), small]
        // A thread's 128 registers of 32 bytes give each of 16 work-items 64 floats. Not run yet.
        case .intelGPU: [TiledGEMM.Tile(rows: 64, columns: 64, rowsPerItem: 8, columnsPerItem: 4), small]
        case .otherGPU: [TiledGEMM.Tile(rows: 64, columns: 64), small]
        // CPUs run this kernel in tests only, and large tiles take minutes to compile.
        case .cpu: [TiledGEMM.Tile(rows: 64, columns: 64), small]
        }
    }
}

/// How our kernels are compiled for a device. Fixed for a context, so that no result depends on what else is computed.
package struct Tuning: Sendable, Equatable, Codable {
    /// Floats in a vector load: `V`
    package var vector: Int
    /// Work-items that share one token: `WG`; where the device allows a kernel less, it gets smaller groups (`grouped`)
    package var group: Int
    /// Queries in a vector of the attention kernel (`QL`), and queries of a work-group that shares keys and values
    /// through local memory (`BQ`); one of the two is 1. A device with less local memory gets smaller groups.
    package var attentionLanes: Int
    package var attentionGroup: Int

    /// CPUs: one work-item per row, vectors as wide as the machine's. GPUs: a group per row, 16-byte loads; a group is
    /// two warps of 32 or one wavefront of 64.
    package init(device: Device) {
        if device.isGPU {
            (vector, group, attentionLanes, attentionGroup) = (4, max(64, device.warpWidth ?? 64), 1, 64)
        } else {
            let width = [16, 8, 4].first { $0 <= device.vectorWidth } ?? 4
            (vector, group, attentionLanes, attentionGroup) = (width, 1, width, 1)
        }
    }

    /// One float, one work-item: for the naive kernels.
    package static let scalar = Tuning(vector: 1, group: 1, attentionLanes: 1, attentionGroup: 1)

    package init(vector: Int, group: Int, attentionLanes: Int, attentionGroup: Int) {
        self.vector = vector
        self.group = group
        self.attentionLanes = attentionLanes
        self.attentionGroup = attentionGroup
    }
}
