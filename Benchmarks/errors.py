"""How far each precision is from float64, over all patched passes of a model: single heads, and windows of three layers.

    python errors.py MODEL DATA [--limit 1000] [--precision fp32 ...] [--vitpatch PROGRAM]

MODEL is a folder with a ViT of transformers, DATA a folder with a folder of images for each class; the corruption is
grayscale. The reference is transformers' model in float64 with hooks (peer_sweeps.HooksCached), on the pixels of
transformers' image processor. That both programs see the same pixels is checked first: probabilities of clean and
corrupted passes in fp32. Prints a table of the largest and the mean difference of the label's probability.
"""

import argparse
import sys
from pathlib import Path

import inputs
import torch
import transformers
from ours import Vitpatch, probabilities
from peer_models import load_from
from peer_sweeps import HooksCached, Place
from PIL import Image
from transformers import ViTImageProcessor

HERE = Path(__file__).resolve().parent
# The most that a probability of an unpatched pass may differ in fp32; other pixels move it by more.
SAME_PIXELS = 2e-6
BATCH = 100  # images in a batch of the reference


class Reference(HooksCached):
    """All passes of some images in float64"""

    def __init__(self, model, clean, corrupted, labels, places):
        self.model, self.clean, self.corrupted, self.labels = model, clean.double(), corrupted.double(), labels
        self.places, self.together = places, 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--limit", type=int, default=1000, help="images (default 1000)")
    parser.add_argument("--precision", nargs="+", default=["fp32", "bf16x3", "bf16"])
    parser.add_argument("--gpu", action="store_true", help="vitpatch on the first GPU")
    parser.add_argument("--vitpatch", default=str(HERE.parent / ".build/release/vitpatch"), help="the program")
    options = parser.parse_args()
    torch.set_grad_enabled(False)
    transformers.utils.logging.disable_progress_bar()
    model = load_from(options.model, "sdpa").double()
    layers, heads = range(model.config.num_hidden_layers), range(model.config.num_attention_heads)
    sweeps = {
        "single heads": (["--site", "z"], [((layer,), head) for layer in layers for head in heads]),
        "attn_out, windows of 3": (
            ["--site", "attn_out", "--window", "3"],
            [(tuple(range(max(0, i - 1), min(len(layers), i + 2))), None) for i in layers]),
    }
    lines = []
    for name, (patches, places) in sweeps.items():
        wanted = None
        for precision in options.precision:
            vitpatch = Vitpatch(options.vitpatch, options.model, options.data, options.gpu, precision)
            rows = list(vitpatch.table([*patches, "--limit", str(options.limit), "--keep", "all"])[0])
            if wanted is None:
                wanted = reference(model, options, rows, places)
            found = torch.tensor(probabilities(rows, len(places)), dtype=torch.float64)
            differences = (found - wanted).abs()
            unpatched, patched = differences[:2], differences[2:]
            if precision == "fp32" and unpatched.max() > SAME_PIXELS:
                sys.exit(f"{name}: clean and corrupted probabilities differ by {unpatched.max():.1e}: not the same pixels")
            lines.append([name, precision, f"{patched.max():.1e}", f"{patched.mean():.1e}", f"{patched.numel():,}",
                          f"{unpatched.max():.1e}"])
            print("  ".join(lines[-1]), file=sys.stderr, flush=True)
    print("| patches | precision | at most | on average | passes | unpatched, at most |\n|---|---|---|---|---|---|")
    for line in lines:
        print(f"| {' | '.join(line)} |")


def reference(model, options, rows: list[dict[str, str]], places: list[Place]) -> torch.Tensor:
    """[2 + places, images], the images in the order of ours.probabilities"""
    labels = {row["image"]: int(row["target"]) for row in sorted(rows, key=lambda row: int(Path(row["image"]).stem))}
    processor = ViTImageProcessor.from_pretrained(options.model)
    columns = []
    for start in range(0, len(labels), BATCH):
        names = list(labels)[start : start + BATCH]
        images = [Image.open(options.data / name).convert("RGB") for name in names]
        clean, corrupted = (
            inputs.pixels(pictures, processor) for pictures in (images, [inputs.grayscale(image) for image in images]))
        of = torch.tensor([labels[name] for name in names])
        columns.append(torch.cat(Reference(model, clean, corrupted, of, places).passes()))
    return torch.cat(columns, 1)


if __name__ == "__main__":
    main()
