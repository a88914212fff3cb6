"""What the peers have in common: transformers' model, the images, linear maps by oneDNN, and hooks."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
import transformers
from PIL import Image
from transformers import ViTForImageClassification

import inputs


class OneDNNLinear(torch.nn.Linear):
    """nn.Linear by oneDNN with the weight in oneDNN's own layout, as torch.compile does it with freezing. On processors
    that MKL was not made for it is the faster one."""

    @staticmethod
    def replace(module: torch.nn.Module) -> None:
        """All of a model's linear maps; their plain weights are let go."""
        for linear in [part for part in module.modules() if type(part) is torch.nn.Linear]:
            linear.__class__ = OneDNNLinear
            linear.packed = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach())
            linear.weight = torch.nn.Parameter(torch.empty(0), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ops.mkldnn._linear_pointwise(x, self.packed, self.bias, "none", [], "")


def prepare(threads: int) -> None:
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    transformers.utils.logging.disable_progress_bar()
    # fp32 is fp32; bf16 is what the settings say
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def load(folder: str, device: str, attention: str) -> ViTForImageClassification:
    return load_from(Path(folder) / "model", attention).to(device)


def load_from(path: Path, attention: str) -> ViTForImageClassification:
    return ViTForImageClassification.from_pretrained(path, attn_implementation=attention).eval()


def pictures(folder: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Clean and corrupted pixels [images, 3, S, S], labels [images]: the images by their number."""
    paths = sorted((Path(folder) / "images").glob("*/*.png"), key=lambda path: int(path.stem))
    images = [Image.open(path) for path in paths]
    labels = torch.tensor([int(path.parent.name.removeprefix("LABEL_")) for path in paths])
    return inputs.pixels(images), inputs.pixels([inputs.grayscale(image) for image in images]), labels


@contextmanager
def hooked(hooks: list[tuple[torch.nn.Module, Callable]], before: bool = False):
    with ExitStack() as stack:
        for module, hook in hooks:
            handle = module.register_forward_pre_hook(hook) if before else module.register_forward_hook(hook)
            stack.callback(handle.remove)
        yield
