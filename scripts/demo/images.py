"""Writes Demo/images.safetensors: the demo's 240 test images, in the order vitpatch reads class folders."""

import json
import pathlib

from safetensors.numpy import save_file

import generate

COUNT = 240
PATH = pathlib.Path(__file__).resolve().parent.parent.parent / "Demo" / "images.safetensors"

if __name__ == "__main__":
    # Classes take turns: the first image of every class, then the second of every class, and so on.
    images, labels = generate.generate(generate.EMBEDDED, COUNT)
    names = generate.CLASSES
    ids = [f"{names[label]}/{i // len(names):04d}.png" for i, label in enumerate(labels)]
    save_file(
        {"images": images, "labels": labels}, PATH, metadata={"classes": json.dumps(names), "ids": json.dumps(ids)}
    )
