"""What vitpatch is to reach beside its peers: agreement and speed."""

from ours import IMAGES

# The most that a probability may differ from a peer's in fp32: what `vitpatch verify` asks of a device too. float32 takes
# some 1e-6 here.
TOLERANCE = {"fp32": 2e-5, "bf16x3": 5e-5}
# The most that an estimate may differ, relative to 1 + its size: sums of thousands of float32 products
ESTIMATE_TOLERANCE = 1e-3

# How many times the speed of peers in fp32, as installed, vitpatch is to have with a precision; of products by images
TARGETS = {
    "fp32": {
        "products": {IMAGES: 0.9}, "forward": 0.9, "original": 4, "cached": 2.1, "single layers": 1.8,
        "heads": 2.4, "heads cached": 2.4},
    "bf16x3": {
        "products": {IMAGES: 1.7, 64: 2.2}, "forward": 1.7, "original": 5.5, "cached": 3, "single layers": 3,
        "heads": 4, "heads cached": 4},
}
