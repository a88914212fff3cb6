import Foundation

/// The progress bar on standard error: images done, passes a second, time left. Silent where that is no terminal.
struct Progress {
    private let total: Int
    private let rich: Bool
    private let start = Date()
    private var done = 0, passes = 0
    private var drawn = Date.distantPast

    init(total: Int) {
        self.total = total
        rich = Terminal.isRich(STDERR_FILENO)
    }

    var seconds: Double { Date().timeIntervalSince(start) }

    mutating func advance(images: Int, passes: Int) {
        done += images
        self.passes += passes
        guard rich, Date().timeIntervalSince(drawn) > 0.1 || done == total else { return }
        drawn = Date()
        let share = total == 0 ? 1 : Double(done) / Double(total)
        let filled = Int(share * 30)
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: 30 - filled)
        let rate = Double(self.passes) / max(seconds, 1e-3)
        let left = done == 0 ? "" : ", \(Self.duration(seconds * Double(total - done) / Double(done))) left"
        Terminal.standardError("\r\u{1B}[K\(bar) \(done)/\(total) images, \(Int(rate)) passes/s\(left)")
    }

    /// Clears the bar.
    func finish() { if rich { Terminal.standardError("\r\u{1B}[K") } }

    static func duration(_ seconds: Double) -> String {
        let whole = Int(seconds.rounded())
        if whole >= 3600 { return "\(whole / 3600) h \(whole % 3600 / 60) min" }
        if whole >= 60 { return "\(whole / 60) min \(whole % 60) s" }
        return whole >= 10 ? "\(whole) s" : String(format: "%.1f s", seconds)
    }
}

/// Ctrl-C and SIGTERM as a flag that is looked at between waves, so that a sweep ends cleanly.
final class Interruption: @unchecked Sendable {
    private let lock = NSLock()
    private var flag = false
    private var sources: [any DispatchSourceSignal] = []

    init() {
        for number in [SIGINT, SIGTERM] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { [weak self] in
                guard let self else { return }
                let again = self.lock.withLock {
                    defer { self.flag = true }
                    return self.flag
                }
                // Asked twice: leave at once; every finished wave is in the store.
                if again { _exit(130) }
            }
            source.resume()
            sources.append(source)
        }
    }

    var isRequested: Bool { lock.withLock { flag } }
}
