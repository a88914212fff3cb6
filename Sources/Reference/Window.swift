/// The layers [centre - floor(width / 2), centre + ceil(width / 2)), clipped to a network of `layers` layers (ROME's
/// rule, Meng et al., arXiv:2202.05262).
package func window(centre: Int, width: Int, layers: Int) -> Range<Int> {
    precondition(width > 0 && (0..<layers).contains(centre))
    return max(0, centre - width / 2)..<min(layers, centre + (width + 1) / 2)
}
