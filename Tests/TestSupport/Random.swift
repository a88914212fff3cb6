import Reference

/// The generator that `vitpatch verify` draws from too
public typealias SplitMix64 = Reference.SplitMix64
