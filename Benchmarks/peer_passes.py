"""Peers of single passes: a matrix product, and the whole model."""

import torch
import torch.nn.functional as F

from peer_models import OneDNNLinear, load, pictures


class Product:
    """out = x weight^T + bias, and GELU where the encoder has it; everything of `dtype`."""

    def __init__(
        self, folder: str, device: str, linear: str, m: int, n: int, k: int, gelu: bool, dtype: str = "float32"
    ):
        shapes = [(m, k), (n, k), (n,)]
        x, weight, bias = (torch.randn(shape, device=device, dtype=getattr(torch, dtype)) for shape in shapes)
        if linear == "onednn":
            packed, after = torch.ops.mkldnn._reorder_linear_weight(weight), "gelu" if gelu else "none"
            self.call = lambda: torch.ops.mkldnn._linear_pointwise(x, packed, bias, after, [], "none" if gelu else "")
        elif gelu:
            self.call = lambda: F.gelu(F.linear(x, weight, bias))
        else:
            self.call = lambda: F.linear(x, weight, bias)

    def run(self) -> None:
        self.call()


class Forward:
    """transformers' model as it is."""

    def __init__(self, folder: str, device: str, linear: str, attention: str, images: int):
        self.model = load(folder, device, attention)
        if linear == "onednn":
            OneDNNLinear.replace(self.model)
        self.pixels = pictures(folder)[0][:images].to(device)

    def run(self) -> None:
        self.model(self.pixels).logits
