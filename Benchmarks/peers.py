"""What vitpatch is compared with, one class each. They run in processes of their own (worker.py), which alone import
torch.

A peer is made ready once (`__init__`: load, pack, warm up), then `run` is timed; reading files and images is not.
"""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
import torch.nn.functional as F
import transformers
from PIL import Image
from transformers import ViTForImageClassification

import inputs

# (layers, head): where a patch goes; a head of None is the attention's output, all of it
Place = tuple[tuple[int, ...], int | None]


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


class Sweep:
    """Every place patched on every image; what the ways to do it have in common.

    `run` returns the label's probability of the clean, the corrupted and every patched pass: [2 + places][images].
    """

    def __init__(self, folder: str, device: str, linear: str, attention: str, places: list[Place], together: int):
        self.clean, self.corrupted, self.labels = (values.to(device) for values in pictures(folder))
        self.places, self.together = places, together
        self.load(folder, device, attention)
        if linear == "onednn":
            OneDNNLinear.replace(self.model)
        self.logits(self.clean)

    def load(self, folder: str, device: str, attention: str) -> None:
        self.model = load(folder, device, attention)

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x).logits

    def p(self, logits: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """[passes, images] of logits [passes * images, classes]"""
        labels = self.labels if labels is None else labels
        passes = len(logits) // len(labels)
        # bf16 autocast gives bf16 logits; probabilities are to lose nothing more.
        p = logits.softmax(-1, dtype=torch.promote_types(logits.dtype, torch.float32))
        return p.gather(1, labels.repeat(passes)[:, None]).reshape(passes, len(labels))

    def groups(self) -> list[list[Place]]:
        """The places that go into one batch"""
        return [self.places[i : i + self.together] for i in range(0, len(self.places), self.together)]

    def batch(self, group: list[Place]) -> torch.Tensor:
        """The corrupted images once for each place of a group"""
        return self.corrupted.repeat(len(group), 1, 1, 1)

    def run(self) -> list[list[float]]:
        return torch.cat(self.passes()).tolist()


def by_layer(group: list[Place]) -> dict[int, list[tuple[int, int | None]]]:
    """layer: (position in the batch, head) of the places that patch it"""
    result: dict[int, list[tuple[int, int | None]]] = {}
    for position, (layers, head) in enumerate(group):
        for layer in layers:
            result.setdefault(layer, []).append((position, head))
    return result


class HooksOriginal(Sweep):
    """The original study's way: for every place a full pass of clean and corrupted images in one batch, in which hooks
    copy the clean half's attention output over the corrupted half's. `together`: images in a half."""

    def passes(self) -> list[torch.Tensor]:
        parts = [slice(i, i + self.together) for i in range(0, len(self.labels), self.together)]
        return [torch.cat([self.part(part) for part in parts], 1)]

    def part(self, part: slice) -> torch.Tensor:
        """[2 + places, images of the part]"""
        batch, labels = torch.cat([self.clean[part], self.corrupted[part]]), self.labels[part]
        half = len(labels)

        def copy(module, args, output):
            output[half:] = output[:half]

        rows = [self.p(self.logits(batch), labels)]
        for layers, _ in self.places:
            with hooked([(self.model.vit.layers[layer].attention.o_proj, copy) for layer in layers]):
                rows.append(self.p(self.logits(batch), labels)[1:])
        return torch.cat(rows)


class HooksCached(Sweep):
    """Hooks with a cache: the clean pass once, then a pass of the corrupted images for every place, in which hooks put
    the cached values in. `together`: places in a batch."""

    def passes(self) -> list[torch.Tensor]:
        images, layers = len(self.labels), self.model.vit.layers
        heads = self.places[0][1] is not None  # z, the input of the output projection, or its output
        width = self.model.config.hidden_size // self.model.config.num_attention_heads
        cache: dict[int, torch.Tensor] = {}

        def hook(use):
            return (lambda module, args: use(args[0])) if heads else (lambda module, args, output: use(output))

        def keep(layer):
            return hook(lambda values: cache.update({layer: values.clone()}))

        def swap(layer, patches):
            def put(values):
                for position, head in patches:
                    columns = slice(None) if head is None else slice(head * width, (head + 1) * width)
                    values[position * images : (position + 1) * images, :, columns] = cache[layer][:, :, columns]

            return hook(put)

        with hooked([(layer.attention.o_proj, keep(i)) for i, layer in enumerate(layers)], before=heads):
            rows = [self.p(self.logits(self.clean))]
        rows.append(self.p(self.logits(self.corrupted)))
        for group in self.groups():
            hooks = [(layers[i].attention.o_proj, swap(i, patches)) for i, patches in by_layer(group).items()]
            with hooked(hooks, before=heads):
                rows.append(self.p(self.logits(self.batch(group))))
        return rows


class TransformerLens(Sweep):
    """run_with_cache on the clean images, then run_with_hooks on the corrupted ones for every place. `together`: places
    in a batch. It always computes attention its own way ("eager")."""

    def load(self, folder: str, device: str, attention: str) -> None:
        from transformer_lens.model_bridge import TransformerBridge

        self.model = TransformerBridge.boot_transformers(str(Path(folder) / "model"), device=device).eval()

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)

    def passes(self) -> list[torch.Tensor]:
        images = len(self.labels)
        name = "hook_out" if self.places[0][1] is None else "hook_z"
        logits, cache = self.model.run_with_cache(self.clean, names_filter=lambda hook: hook.endswith(f".attn.{name}"))
        rows = [self.p(logits), self.p(self.logits(self.corrupted))]

        def swap(layer, patches):
            kept = cache[f"blocks.{layer}.attn.{name}"]  # [images, T, D], or z's [images, T, heads, Dh]

            def put(values, hook):
                for position, head in patches:
                    part = values[position * images : (position + 1) * images]
                    if head is None:
                        part.copy_(kept)
                    else:
                        part[:, :, head] = kept[:, :, head]
                return values

            return put

        for group in self.groups():
            hooks = [(f"blocks.{i}.attn.{name}", swap(i, patches)) for i, patches in by_layer(group).items()]
            rows.append(self.p(self.model.run_with_hooks(self.batch(group), fwd_hooks=hooks)))
        return rows


class Attribution:
    """Estimates of every place by autograd: the clean pass, the corrupted pass with its gradients, and gradient times
    difference, summed over what a place covers. `places`: the names of the sites; heads and outputs token by token, or with
    neurons among them for all tokens together.

    `run` returns the label's probability of the clean and the corrupted pass and each place's estimate: [2 + places][images].
    """

    def __init__(self, folder: str, device: str, linear: str, attention: str, places: list[str]):
        with torch.inference_mode(False):
            self.clean, self.corrupted, self.labels = (values.to(device) for values in pictures(folder))
            self.model = load(folder, device, attention).requires_grad_(False)
        self.places = places
        self.model(self.clean)

    def run(self) -> list[list[float]]:
        with torch.inference_mode(False):
            clean, kept = self.kept(self.clean, hooks=False)
            with torch.enable_grad():
                corrupted, own = self.kept(self.corrupted, hooks=True)
                target = corrupted.gather(1, self.labels[:, None])[:, 0]
                others = corrupted.scatter(1, self.labels[:, None], float("-inf"))
                (target - others.logsumexp(1)).sum().backward()
            p = [logits.detach().softmax(-1).gather(1, self.labels[:, None]).T for logits in (clean, corrupted)]
            return torch.cat(p + [self.estimates(site, own, kept) for site in self.places]).tolist()

    def kept(self, pixels: torch.Tensor, hooks: bool) -> tuple[torch.Tensor, dict]:
        """Logits, and what is at every site of every layer; `hooks`: with its gradient, from the first of them on."""
        kept: dict[tuple[str, int], torch.Tensor] = {}

        def keep(key):
            def hook(module, args, output=None):
                value = args[0] if output is None else output[0] if isinstance(output, tuple) else output
                if hooks and value.requires_grad:
                    value.retain_grad()
                elif hooks:
                    value.requires_grad_()
                kept[key] = value

            return hook

        with ExitStack() as stack:
            for i, layer in enumerate(self.model.vit.layers):
                inputs = {"z": layer.attention.o_proj, "mlp_act": layer.mlp.fc2}
                outputs = {"attn_out": layer.attention.o_proj, "mlp_out": layer.mlp.fc2, "resid_post": layer}
                for site in self.places:
                    stack.enter_context(
                        hooked([(inputs[site], keep((site, i)))], before=True)
                        if site in inputs else hooked([(outputs[site], keep((site, i)))]))
            return self.model(pixels).logits, kept

    def estimates(self, site: str, own: dict, kept: dict) -> torch.Tensor:
        """[places, images]: by layer, then head or neuron, then token"""
        rows = []
        for layer in range(len(self.model.vit.layers)):
            receiver = own[site, layer]
            change = receiver.grad * (kept[site, layer] - receiver.detach())  # [images, T, width]
            if site == "z":
                heads = self.model.config.num_attention_heads
                change = change.unflatten(-1, (heads, -1)).sum(-1).transpose(1, 2)  # [images, H, T]
            elif site == "mlp_act":
                change = change.sum(1)
            else:
                change = change.sum(-1)
                if "mlp_act" in self.places:
                    change = change.sum(1, keepdim=True)
            rows.append(change.flatten(1).T)
        return torch.cat(rows)


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
