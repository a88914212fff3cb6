import CAMX
import CLRuntime
import Synchronization

/// Matrix tiles of the CPU that this process runs on.
package enum AMX {
    /// Why they cannot be used; nil where they can. Asked once; the process may use tiles from then on.
    package static let obstacle: String? =
        switch vitpatch_amx_request() {
        case VITPATCH_AMX_READY: nil
        case VITPATCH_AMX_OTHER_ARCHITECTURE: "AMX is for Linux on x86-64"
        case VITPATCH_AMX_NO_UNITS: "the CPU has no AMX with bf16"
        case VITPATCH_AMX_NOT_SAVED: "the operating system does not save AMX's tiles"
        default: "the operating system does not let this process use AMX"
        }

    /// `AMX_MODEL` of amx.cl: the instructions, or a model of them that runs on any device
    enum Units: Int { case amx, model, modelTiles }

    /// What `isUsable` found, by the device's index
    private static let found = Mutex<[Int: Bool]>([:])

    /// Whether a device's products can run on tiles: it is this CPU, which has them, and a small product comes out
    /// right in each precision. That is tried once; where there is no AMX, nothing is compiled or run.
    package static func isUsable(on device: Device) -> Bool {
        guard device.isCPU, obstacle == nil else { return false }
        return found.withLock { found in
            if let known = found[device.index] { return known }
            var isRight = false
            do {
                let library = KernelLibrary(try Context(device: device))
                for precision in AMXGEMM.precisions { _ = try AMXGEMM(library, precision: precision) }
                isRight = true
            } catch {}
            found[device.index] = isRight
            return isRight
        }
    }
}
