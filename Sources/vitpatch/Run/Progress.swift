import Foundation
import Synchronization

/// The progress bar on standard error: images done, passes per second, time left. Silent if that is no terminal.
struct Progress {
    private let total: Int
    private let rich: Bool
    private let start = Date()
    private var done = 0, passes = 0
    private var drawn = Date.distantPast

    init(total: Int) {
        self.total = total
        rich = Terminal.isRich(STDERR_FILENO)
        draw()
    }

    var seconds: Double { Date().timeIntervalSince(start) }

    mutating func advance(images: Int, passes: Int) {
        done += images
        self.passes += passes
        if Date().timeIntervalSince(drawn) > 0.1 || done == total { draw() }
    }

    private mutating func draw() {
        guard rich, total > 0 else { return }
        drawn = Date()
        var text = " \(done)/\(total) images"
        if done > 0 {
            let rate = Double(passes) / max(seconds, 1e-3)
            text += ", \(Int(rate)) passes/s, \(Self.duration(seconds * Double(total - done) / Double(done))) left"
        }
        let width = max(0, min(30, Terminal.width - 45)), filled = width * done / total
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
        Terminal.standardError("\r\u{1B}[K" + bar + text)
    }

    /// Clears the bar.
    func finish() { if rich { Terminal.standardError("\r\u{1B}[K") } }

    /// A measured time: below 600 s with digits for comparisons, else in words.
    static func measured(_ seconds: Double) -> String {
        if seconds >= 600 { return duration(seconds) }
        return String(format: seconds >= 100 ? "%.1f s" : "%.2f s", seconds)
    }

    /// A time in words.
    static func duration(_ seconds: Double) -> String {
        let whole = Int(seconds.rounded())
        if whole >= 3600 { return "\(whole / 3600) h \(whole % 3600 / 60) min" }
        if whole >= 60 { return "\(whole / 60) min \(whole % 60) s" }
        return whole >= 10 ? "\(whole) s" : String(format: "%.1f s", seconds)
    }
}

/// Ctrl-C and SIGTERM as a flag that is checked between waves, so that a sweep ends cleanly.
final class Interruption: @unchecked Sendable {
    private let flag = Mutex(false)
    private var sources: [any DispatchSourceSignal] = []

    init() {
        for number in [SIGINT, SIGTERM] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { [weak self] in
                guard let self else { return }
                let again = self.flag.withLock { flag in
                    defer { flag = true }
                    return flag
                }
                // The second signal ends the program at once; every finished wave is in the store.
                if again { _exit(130) }
                if isatty(STDERR_FILENO) != 0 {
                    Terminal.standardError("\nEnding after the current wave; Ctrl-C again ends it at once.\n")
                }
            }
            source.resume()
            sources.append(source)
        }
    }

    var isRequested: Bool { flag.withLock { $0 } }
}

/// Thrown between two waves after the user asked to end.
struct Interrupted: Error {}
