"""The peer of estimates: attribution patching by PyTorch's autograd."""

from contextlib import ExitStack

import torch

from peer_models import hooked, load, pictures


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
