"""Makes the file for `vitpatch ... --classes`: text embeddings of class names, from a CLIP or SigLIP of transformers.

    python make_classes.py --model openai/clip-vit-base-patch32 --out classes.safetensors cat dog horse
    python make_classes.py --model MODEL --out classes.safetensors --names names.txt --template "a photo of a {}."

Every name is put into every template; its embedding is the mean of theirs, of length 1. The file has the tensor
`embeddings` [classes, width], and in its metadata `names` (a JSON list), `logit_scale` and `logit_bias`.

Needs torch, transformers and safetensors.
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file


def text_embeddings(model, **inputs):
    """One row per text, normalised to length 1."""
    features = model.get_text_features(**inputs)
    features = getattr(features, "pooler_output", features)  # transformers 5 wraps them
    return features / features.norm(dim=-1, keepdim=True)


def logit_scale(model):
    bias = getattr(model, "logit_bias", None)
    return dict(scale=model.logit_scale.exp().item(), bias=0.0 if bias is None else bias.item())


def write_classes(path, embeddings, names, scale, bias=0.0):
    metadata = dict(names=json.dumps(names), logit_scale=repr(scale), logit_bias=repr(bias))
    save_file({"embeddings": embeddings.float().contiguous()}, path, metadata=metadata)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a CLIP or SigLIP of transformers, a folder or a name on the hub")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--names", type=Path, help="a text file with a class name a line")
    parser.add_argument("--template", action="append", help='default: "a photo of a {}."; may be given several times')
    parser.add_argument("classes", nargs="*", help="class names")
    options = parser.parse_args()
    names = options.classes
    if options.names:
        names = names + [line.strip() for line in options.names.read_text().splitlines() if line.strip()]
    if not names:
        parser.error("no class names: give them as arguments or with --names")

    from transformers import AutoModel, AutoTokenizer
    model = AutoModel.from_pretrained(options.model).eval()
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    # SigLIP was trained on texts padded to full length.
    padding = "max_length" if model.config.model_type.startswith("siglip") else True
    rows = []
    with torch.no_grad():
        for name in names:
            texts = [template.replace("{}", name) for template in options.template or ["a photo of a {}."]]
            inputs = tokenizer(texts, padding=padding, truncation=True, return_tensors="pt")
            mean = text_embeddings(model, **inputs).mean(0)
            rows.append(mean / mean.norm())
    write_classes(options.out, torch.stack(rows), names, **logit_scale(model))
    print(f"{len(names)} classes, {rows[0].numel()} values each, in {options.out}")


if __name__ == "__main__":
    main()
