import Reference

/// The generator that `vitpatch verify` uses too
package typealias SplitMix64 = Reference.SplitMix64
