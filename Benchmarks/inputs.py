"""The model and the images of the comparison: `python inputs.py FOLDER` makes FOLDER/model and FOLDER/images.

A ViT-B/16 with random weights is as fast as a trained one. Its weights are drawn wider than transformers would, so that
its answers depend on the image: of 1000 classes the likeliest one has a probability of 0.1 to 0.9, and another one
without colour. Agreement of such probabilities means something.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

SEED = 1
IMAGES = 8


def model() -> ViTForImageClassification:
    torch.manual_seed(SEED)
    vit = ViTForImageClassification(ViTConfig(num_labels=1000)).eval()
    with torch.no_grad():
        for name, values in vit.named_parameters():
            if "layernorm" in name and name.endswith("weight"):
                values.normal_(1, 0.1)
            elif name.endswith("bias"):
                values.normal_(0, 0.05)
            elif name.endswith(("cls_token", "position_embeddings")):
                values.normal_(0, 0.5)
            elif name == "classifier.weight":
                values.normal_(0, 0.15)
            else:
                values.normal_(0, 0.04)
    return vit


def images() -> list[Image.Image]:
    """Smooth fields of strong colours, of which grayscale takes most away."""
    random = np.random.default_rng(SEED)
    coarse = random.integers(0, 256, (IMAGES, 7, 7, 3), dtype=np.uint8)
    return [Image.fromarray(field).resize((224, 224), Image.Resampling.BICUBIC) for field in coarse]


def pixels(pictures: list[Image.Image], processor: ViTImageProcessor | None = None) -> torch.Tensor:
    """[images, 3, S, S], normalised; 224 x 224 without a processor"""
    processor = processor or ViTImageProcessor()
    return processor([picture.convert("RGB") for picture in pictures], return_tensors="pt")["pixel_values"].contiguous()


def grayscale(picture: Image.Image) -> Image.Image:
    """vitpatch's corruption of the same name."""
    return picture.convert("L").convert("RGB")


def make(folder: Path) -> None:
    vit, pictures = model(), images()
    vit.save_pretrained(folder / "model")
    ViTImageProcessor().save_pretrained(folder / "model")
    # An image's label is the class that the model gives it in colour.
    with torch.inference_mode():
        labels = vit(pixels(pictures)).logits.argmax(-1).tolist()
    for index, (label, picture) in enumerate(zip(labels, pictures)):
        path = folder / "images" / vit.config.id2label[label] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
