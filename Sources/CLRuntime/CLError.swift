/// Errors of the OpenCL layer. Every message is one sentence that names the thing at fault.
package enum CLError: Error, CustomStringConvertible, Sendable {
    /// An OpenCL call failed.
    case call(String, CLStatus)
    /// A kernel source did not compile; `log` is the compiler's own text.
    case build(program: String, log: String)
    /// A buffer or argument does not have the size that the operation needs.
    case shape(operation: String, expected: String, got: String)
    /// No OpenCL device on this machine; the text says why, as far as known.
    case noDevice(String)
    /// A spec matches no device.
    case unknownDevice(spec: String, available: [String])
    /// A spec matches the names of several devices.
    case ambiguousDevice(spec: String, matches: [String])
    /// A library on top of OpenCL (CLBlast) failed.
    case library(String, operation: String, status: Int32)
    /// A kernel's result differs from the host's.
    case wrongResult(operation: String, detail: String)

    package var description: String {
        switch self {
        case .call(let name, .outOfResources):
            "\(name) failed with CL_OUT_OF_RESOURCES: the device ran out of memory, registers or local memory, or a kernel "
                + "failed"
        case .call(let name, let status): "\(name) failed with \(status)"
        case .build(let program, let log):
            "kernels/\(program) does not compile on this device; the compiler says:\n\(log)"
        case .shape(let operation, let expected, let got): "\(operation) needs \(expected), but got \(got)"
        case .noDevice(let reason): "no OpenCL device found; \(reason)"
        case .unknownDevice(let spec, let available):
            "no device matches \"\(spec)\"; available: \(available.joined(separator: ", "))"
        case .ambiguousDevice(let spec, let matches):
            "\"\(spec)\" names several devices, \(matches.joined(separator: ", ")); give the index of one"
        case .library(let library, let operation, let status): "\(library) \(operation) failed with status \(status)"
        case .wrongResult(let operation, let detail): "\(operation) computes wrong results on this device: \(detail)"
        }
    }

    /// Whether the user's choice of device is at fault, not the machine.
    package var isSelection: Bool {
        switch self {
        case .unknownDevice, .ambiguousDevice: true
        default: false
        }
    }

    /// Whether the device ran out of memory, so that a smaller wave may succeed.
    package var isOutOfMemory: Bool {
        switch self {
        case .call(_, let status): status.isOutOfMemory
        // CLBlast passes OpenCL's status on.
        case .library(_, _, let status): CLStatus(rawValue: status).isOutOfMemory
        default: false
        }
    }
}

/// Throws `CLError.call` unless the status is success.
@inline(__always)
func check(_ name: @autoclosure () -> String, _ status: Int32) throws(CLError) {
    if status != CLStatus.success.rawValue { throw CLError.call(name(), CLStatus(rawValue: status)) }
}
