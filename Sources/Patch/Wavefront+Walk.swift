import CLRuntime
import Kernels
import ViT

extension Wavefront {
    /// Points of the walk at which a visitor may read activations.
    enum Point {
        /// x, after the swaps at the place on the stream
        case stream(Depth.Stage)
        /// A stage's chunk in the workspace
        case chunk(Depth.Stage, Schedule.StageChunk)
        /// A stage's outputs in o, except those that the GEMM adds to the stream
        case outputs(Depth.Stage)
        /// x, with the outputs of a stage added
        case added(Depth.Stage)
    }

    /// Runs all layers of all rows.
    /// - Parameter visit: called at every point, with the layer
    func walk(
        _ schedule: Schedule, _ lists: Buffer<Int32>,
        visit: (Point, Int) throws(CLError) -> Void = { (_, _) throws(CLError) in }
    ) throws(CLError) {
        for (index, layer) in schedule.layers.enumerated() {
            for stage in Depth.Stage.allCases {
                if let step = layer.stages[stage] {
                    context.stage("\(stage) \(index)")
                    try give(schedule, stage, index)
                    for chunk in step.chunks {
                        try compute(chunk, stage, layer: index, lists)
                        try visit(.chunk(stage, chunk), index)
                    }
                    try visit(.outputs(stage), index)
                    try finish(step, lists, layer: index)
                    try visit(.added(stage), index)
                } else if let step = layer.stream[stage] {
                    try give(schedule, stage, index)
                    try swap(step, lists, "\(Site.of(stage).last?.rawValue ?? "") \(index)")
                    try visit(.stream(stage), index)
                }
            }
        }
    }

    /// Computes a chunk's passes, from their start to their outputs, with the swaps at the cuts.
    private func compute(
        _ chunk: Schedule.StageChunk, _ stage: Depth.Stage, layer: Int, _ lists: Buffer<Int32>
    ) throws(CLError) {
        let encoder = model(chunk.model)
        func copy(_ entries: [Activation: Entries<SliceEntry>]?, at cut: Cut) throws(CLError) {
            guard let entries, !entries.isEmpty else { return }
            for site in Site.of(stage) where site.row.cut == cut {
                guard let activation = site.activation, let some = entries[activation] else { continue }
                try encoder.swap(activation, layer: layer, lists: lists, entries: some, workspace: workspace)
            }
        }
        for cut in [Cut.inner, .outer] where chunk.start <= cut {
            if chunk.start < cut {
                try advance(chunk, stage, to: cut, layer: layer, lists)
            } else {
                try copy(chunk.copies, at: cut)
            }
            if stage == .attention, cut == .outer, chunk.patterns.count > 0 {
                try encoder.attend(layer: layer, lists: lists, patterns: chunk.patterns, workspace: workspace)
            }
            if cut == .outer {
                for given in chunk.given { try attend(given, layer: layer) }
            }
            try copy(chunk.swaps, at: cut)
        }
        let output = Encoder.Output(o: o, position: chunk.position, x: x, lists: lists, adds: chunk.adds)
        if stage == .attention {
            try encoder.attentionOutput(layer: layer, slots: chunk.slots, to: output, workspace: workspace)
        } else {
            try encoder.mlpOutput(layer: layer, slots: chunk.slots, to: output, workspace: workspace)
        }
    }

    /// Computes from the previous cut to `cut`.
    private func advance(
        _ chunk: Schedule.StageChunk, _ stage: Depth.Stage, to cut: Cut, layer: Int, _ lists: Buffer<Int32>
    ) throws(CLError) {
        let encoder = model(chunk.model)
        // The hidden layer before its activation function has its own buffer only where it is patched.
        let hasPre = workspace.shape.kept.contains(.pre)
        switch (stage, cut) {
        case (.attention, .inner):
            try encoder.projectQKV(
                layer: layer, x: x, lists: lists, rows: chunk.rows, slot: chunk.slot, workspace: workspace)
        case (.attention, .outer):
            try encoder.attend(layer: layer, slots: chunk.slots, workspace: workspace)
        case (.mlp, .inner), (.mlp, .outer):
            if cut == .outer, hasPre {
                try encoder.activate(layer: layer, slots: chunk.slots, workspace: workspace)
            } else if cut == .outer || hasPre {
                try encoder.projectHidden(
                    layer: layer, x: x, lists: lists, rows: chunk.rows, slot: chunk.slot, beforeActivation: hasPre,
                    workspace: workspace)
            }
        default: break
        }
    }

    /// Swaps on the residual stream.
    private func swap(
        _ step: Schedule.StreamStep, _ lists: Buffer<Int32>, _ stage: @autoclosure () -> String
    ) throws(CLError) {
        if step.copy.count == 0, step.slices.count == 0 { return }
        context.stage(stage())
        let copy = step.copy
        if copy.count > 0 { try encoder.copy(x: x, lists: lists, dst: copy.dst, src: copy.src, count: copy.count) }
        try encoder.swapStream(x: x, lists: lists, entries: step.slices)
    }

    /// Swaps a stage's outputs and adds them to the stream. Births come first because they read rows that the adds in
    /// place change.
    private func finish(_ stage: Schedule.StageStep, _ lists: Buffer<Int32>, layer: Int) throws(CLError) {
        try encoder.swapOutput(layer: layer, o: o, lists: lists, entries: stage.outputCopies)
        try encoder.swapOutput(layer: layer, o: o, lists: lists, entries: stage.outputSlices)
        for add in [stage.births, stage.inPlace] where add.count > 0 {
            try encoder.add(
                layer: layer, x: x, o: o, lists: lists, dst: add.dst, base: add.base, src: add.src, count: add.count)
        }
    }
}
