import ArgumentParser
import CLRuntime
import Files
import Foundation
import Patch
import Results
import Spec

/// What is wrong with the command line; one sentence that names the option. Exit code 64.
struct UsageError: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// What a command finds wrong while it runs. Exit code 1.
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

/// The sentence of an error. Those of the engine name sizes and passes; which option they come from is said here.
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

/// Why the system refused, in words that follow what was tried.
func systemReason(_ error: any Error) -> String {
    let error = error as NSError
    let cause = error.domain == NSPOSIXErrorDomain ? error : error.userInfo[NSUnderlyingErrorKey] as? NSError
    guard let cause, cause.domain == NSPOSIXErrorDomain else { return "the system gives no reason" }
    return InputFile.reason(Int32(cause.code))
}

extension ResultsError {
    /// That there are results already, with the advice that fits the command.
    static func naming<Store>(_ advice: String, _ body: () throws -> Store) throws -> Store {
        do { return try body() } catch ResultsError.exists(let path) {
            throw CommandError("\(path) already exists; \(advice)")
        }
    }
}
