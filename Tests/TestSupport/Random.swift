import Reference

/// The generator that `vitpatch verify` draws from too
package typealias SplitMix64 = Reference.SplitMix64
