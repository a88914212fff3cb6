import ArgumentParser
import CLRuntime
import Files
import Foundation
import Patch
import Results
import Spec

/// An error in the command line; one sentence that names the option. Exit code 64.
struct UsageError: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// An error while a command runs. Exit code 1.
struct CommandError: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// The exit code of an error, by its type.
func exitCode(of error: any Error) -> Int32 {
    switch error {
    case is UsageError: 64
    case let error as SpecError: error.origin == .commandLine ? 64 : 1
    default: 1
    }
}

/// The sentence of an error. The engine's errors name sizes and passes; their options are named here.
func sentence(of error: any Error) -> String {
    switch error {
    case let error as DonorError: sentence(of: error)
    case let error as NSError where type(of: error as any Error) is NSError.Type: systemReason(error)
    case is CocoaError, is POSIXError: systemReason(error)
    default: "\(error)"
    }
}

private func sentence(of error: DonorError) -> String {
    switch error {
    case .size(let name, let donor, let model):
        "--donor has \(donor) \(name), the model has \(model): activations of one do not fit the other"
    case .patchWith(let with): "--donor goes with --patch-with clean alone, not \(with.rawValue)"
    }
}

/// The system's reason, in words that follow what was tried.
func systemReason(_ error: any Error) -> String {
    let error = error as NSError
    let cause = error.domain == NSPOSIXErrorDomain ? error : error.userInfo[NSUnderlyingErrorKey] as? NSError
    guard let cause, cause.domain == NSPOSIXErrorDomain else { return "the system gives no reason" }
    return InputFile.reason(Int32(cause.code))
}

extension ResultsError {
    /// Rethrows that there are results already, with the advice that fits the command.
    static func naming<Store>(_ advice: String, _ body: () throws -> Store) throws -> Store {
        do { return try body() } catch ResultsError.exists(let path) {
            throw CommandError("\(path) already exists; \(advice)")
        }
    }
}
