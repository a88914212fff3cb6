"""Accuracies of both models on the embedded images and on a larger test set, and the effects of patching attn_out.

The second table is a reference for `vitpatch sweep` in plain PyTorch: for every layer and windows of 1 and 3 layers,
attn_out of the grayscale pass replaced by the clean pass's, as the mean change of P(label) over the 240 images.
"""

import numpy as np
import torch
from safetensors.numpy import load_file
from transformers import ViTForImageClassification

import generate
from images import PATH
from train import DEMO, accuracy, pixels


def attention_outputs(model):
    """The modules whose output is attn_out, one per layer."""
    return [layer.attention for layer in model.vit.layers]


@torch.no_grad()
def run(model, images, keep=None, put=None):
    """P(class) [N, 8]. `keep`: a dict that receives attn_out by layer; `put`: attn_out by layer to patch in."""

    def hook(index):
        def changed(module, inputs, output):
            if keep is not None:
                keep[index] = output[0]
            if put and index in put:
                return (put[index], *output[1:])

        return changed

    handles = [m.register_forward_hook(hook(i)) for i, m in enumerate(attention_outputs(model))]
    probabilities = model(pixel_values=pixels(images)).logits.softmax(-1)
    for handle in handles:
        handle.remove()
    return probabilities


if __name__ == "__main__":
    torch.set_num_threads(1)
    file = load_file(PATH)
    small = file["images"], file["labels"]
    large = generate.generate(generate.TEST, 10000)
    models = {kind: ViTForImageClassification.from_pretrained(DEMO / kind).eval() for kind in ("colour", "gray")}

    print("model   images  in colour  in grayscale")
    for kind, model in models.items():
        for images, labels in (small, large):
            clean, gray = (100 * accuracy(model, x, labels) for x in (images, generate.to_gray(images)))
            print(f"{kind:6s}  {len(labels):6d}  {clean:8.2f}%  {gray:11.2f}%")

    images, labels = small
    model, rows, clean = models["colour"], np.arange(len(labels)), {}
    layers = len(attention_outputs(model))
    best = run(model, images, keep=clean)[rows, labels].mean()
    worst = run(model, generate.to_gray(images))[rows, labels].mean()
    print(f"\ncolour model, mean P(label): clean {best:.4f}, grayscale {worst:.4f}")
    print("layer  window 1  window 3   (mean indirect effect of attn_out)")
    for layer in range(layers):
        effects = []
        for width in (1, 3):
            window = range(max(0, layer - width // 2), min(layers, layer + (width + 1) // 2))
            put = {i: clean[i] for i in window}
            effects.append(run(model, generate.to_gray(images), put=put)[rows, labels].mean() - worst)
        print(f"{layer:5d}  {effects[0]:8.4f}  {effects[1]:8.4f}")
