"""Peers of sweeps: patched passes by hooks, the original way and with a cache, and by TransformerLens."""

from pathlib import Path

import torch

from peer_models import OneDNNLinear, hooked, load, pictures

# (layers, head): where a patch goes; a head of None is the attention's output, all of it
Place = tuple[tuple[int, ...], int | None]


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
