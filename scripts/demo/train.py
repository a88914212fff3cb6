"""Trains the demo's two ViTs on generated images: `train.py colour` and `train.py gray`.

Writes a Hugging Face folder Demo/colour or Demo/gray, and appends one line per epoch to train.log.
Both models have the same shape. The gray one sees only grayscale images, with the same eight labels. The two
colours of a shape then look alike, so it can reach 50% at best.
"""

import argparse
import json
import math
import pathlib
import time

import numpy as np
import torch
from transformers import ViTConfig, ViTForImageClassification

import generate

HERE = pathlib.Path(__file__).resolve().parent
DEMO = HERE.parent.parent / "Demo"

PREPROCESSOR = {
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_processor_type": "ViTImageProcessor",
    "image_std": [0.5, 0.5, 0.5],
    "resample": 2,
    "rescale_factor": 1 / 255,
    "size": {"height": generate.SIZE, "width": generate.SIZE},
}


def config():
    return ViTConfig(
        image_size=generate.SIZE,
        patch_size=4,
        hidden_size=64,
        num_hidden_layers=6,
        num_attention_heads=4,
        intermediate_size=128,
        layer_norm_eps=1e-6,
        initializer_range=0.06,
        qkv_bias=True,
        id2label=dict(enumerate(generate.CLASSES)),
        label2id={name: i for i, name in enumerate(generate.CLASSES)},
    )


def pixels(images):
    """Bytes [N, 32, 32, 3] as model input [N, 3, 32, 32] in -1...1."""
    return (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5


@torch.no_grad()
def accuracy(model, images, labels):
    model.eval()
    guesses = torch.cat([model(pixel_values=pixels(part)).logits.argmax(-1) for part in np.array_split(images, 8)])
    return (guesses.numpy() == labels).mean()


def grid_positions(width):
    """2-D sines and cosines [1, 65, width] to initialise the position embeddings; zero for CLS."""
    side = generate.SIZE // 4
    frequency = 1 / 20 ** (torch.arange(width // 4) / (width // 4))  # [width / 4]
    wave = torch.arange(side)[:, None] * frequency
    wave = torch.cat([wave.sin(), wave.cos()], dim=1)  # [side, width / 2]
    grid = torch.cat([wave.repeat_interleave(side, 0), wave.repeat(side, 1)], dim=1)
    return torch.cat([torch.zeros(1, width), grid])[None]


def train(kind, epochs, count, batch, rate):
    torch.set_num_threads(1)  # the same order of sums everywhere; more threads would not pay for layers this small
    torch.manual_seed(generate.SEED)
    model = ViTForImageClassification(config())
    model.vit.embeddings.position_embeddings.data = 0.3 * grid_positions(model.config.hidden_size)
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.05)
    steps, warm_up = epochs * (count // batch), 200
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda s: min((s + 1) / warm_up, 0.5 * (1 + math.cos(math.pi * min(1, s / steps))))
    )
    start = time.time()
    images, labels = generate.generate(generate.TRAIN, count)
    if kind == "gray":
        images = generate.to_gray(images)
    test_images, test_labels = generate.generate(generate.TEST, 2000)
    rng = np.random.Generator(np.random.PCG64(generate.SEED))
    log = open(HERE / "train.log", "a", buffering=1)
    size = sum(p.numel() for p in model.parameters())
    print(f"# {kind}: {size} parameters, {epochs} epochs of {count} images, batch {batch}, rate {rate}", file=log)
    if kind == "gray":
        print("# the two colours of a shape look alike in grayscale: 50% is the best this model can learn", file=log)
    for epoch in range(epochs):
        order = rng.permutation(count)
        model.train()
        total = 0.0
        for i in range(0, count - batch + 1, batch):
            part = order[i : i + batch]
            logits = model(pixel_values=pixels(images[part])).logits
            loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels[part]))
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += loss.item()
            if i // batch % 50 == 49:
                print(f"epoch {epoch + 1} step {i // batch + 1} loss {loss.item():.3f}", flush=True)
        clean = accuracy(model, test_images, test_labels)
        gray = accuracy(model, generate.to_gray(test_images), test_labels)
        print(
            f"{kind} epoch {epoch + 1:2d} loss {total / (count // batch):.4f} "
            f"clean {100 * clean:.1f}% grayscale {100 * gray:.1f}% {time.time() - start:.0f} s",
            file=log,
        )
    folder = DEMO / kind
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR, indent=2) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kind", choices=["colour", "gray"])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--count", type=int, default=30000, help="training images")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    arguments = parser.parse_args()
    train(arguments.kind, arguments.epochs, arguments.count, arguments.batch, arguments.rate)
