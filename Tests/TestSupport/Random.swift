import Reference

/// The generator of all tests, and of `vitpatch verify`. Expectations print its seed, so that a failure can be repeated.
package typealias SplitMix64 = Reference.SplitMix64
