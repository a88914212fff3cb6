"""Writes Demo/images.safetensors: the demo's 240 test images, in the order vitpatch reads class folders."""

import json
import pathlib

import generate

COUNT = 240
PATH = pathlib.Path(__file__).resolve().parent.parent.parent / "Demo" / "images.safetensors"

if __name__ == "__main__":
    # Classes alternate: the first image of every class, then the second of every class, and so on.
    images, labels = generate.generate(generate.EMBEDDED, COUNT)
    names = generate.CLASSES
    ids = [f"{names[label]}/{i // len(names):04d}.png" for i, label in enumerate(labels)]
    # Written by hand: the safetensors package writes metadata in random order, and this file should not change.
    data = labels.astype("<i8").tobytes() + images.tobytes()
    split = labels.size * 8
    header = {
        "__metadata__": {"classes": json.dumps(names), "ids": json.dumps(ids)},
        "labels": {"dtype": "I64", "shape": labels.shape, "data_offsets": [0, split]},
        "images": {"dtype": "U8", "shape": images.shape, "data_offsets": [split, len(data)]},
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    PATH.write_bytes(len(text).to_bytes(8, "little") + text + data)
