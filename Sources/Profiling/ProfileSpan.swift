import CLRuntime

/// One run of a stage: consecutive commands of the same stage.
package struct ProfileSpan: Sendable, Equatable {
    /// As named by `Context.stage`: `attention 3`
    package var stage: String
    package var start: UInt64, end: UInt64
    /// The sum of its commands' times, without gaps
    package var nanoseconds: UInt64

    /// The stage without its layer. All swaps on the residual stream (`resid_*`) count as one stage.
    package var name: String {
        let words = stage.split(separator: " ")
        let name =
            words.count > 1 && Int(words[words.count - 1]) != nil ? words.dropLast().joined(separator: " ") : stage
        return name.hasPrefix("resid_") ? "resid swaps" : name
    }

    static func spans(_ commands: [ProfiledCommand]) -> [ProfileSpan] {
        var spans: [ProfileSpan] = []
        for command in commands {
            if spans.last?.stage != command.stage {
                spans.append(
                    ProfileSpan(stage: command.stage, start: command.start, end: command.end, nanoseconds: 0))
            }
            spans[spans.count - 1].end = max(spans[spans.count - 1].end, command.end)
            spans[spans.count - 1].nanoseconds += command.end - command.start
        }
        return spans
    }
}
