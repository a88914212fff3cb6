"""What vitpatch is compared with, one class each. They run in processes of their own (worker.py), which alone import
torch.

A peer is made ready once (`__init__`: load, pack, warm up), then `run` is timed; reading files and images is not.
"""

from peer_estimates import Attribution
from peer_passes import Forward, Product
from peer_sweeps import HooksCached, HooksOriginal, TransformerLens

__all__ = ["Attribution", "Forward", "HooksCached", "HooksOriginal", "Product", "TransformerLens"]
