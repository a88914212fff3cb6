"""Saves models and images that live in Python as folders for the program."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from ._errors import VitpatchError, missing

#: A folder, the name of a model on the Hugging Face hub, or a model of transformers or timm
Model: TypeAlias = Any
#: A folder, a CSV file, pictures, or a data set of the package datasets
Data: TypeAlias = Any


@contextmanager
def prepared(model: Model, data: Data, labels: Iterable[object] | None, processor: Any) -> Iterator[dict[str, str]]:
    """The program's options `model` and `data`; temporary files saved for them are deleted at the end.

    Args:
        labels: the pictures' classes, names or indices
        processor: an image processor of transformers, saved with a model object
    """
    with tempfile.TemporaryDirectory(prefix="vitpatch-") as folder:
        options: dict[str, str] = {}
        if model is not None:
            options["model"] = _model(model, processor, Path(folder) / "model")
        if data is not None:
            options["data"] = _data(data, labels, options.get("model"), Path(folder) / "images")
        elif labels is not None:
            raise VitpatchError("labels: given without data")
        yield options


def _model(model: Model, processor: Any, folder: Path) -> str:
    if isinstance(model, (str, os.PathLike)):
        path = os.fspath(model)
        # `owner/name` is a model on the hub, unless there is such a folder.
        if not os.path.exists(path) and path.count("/") == 1 and not path.startswith((".", "~", "/")):
            return _download(path)
        return path
    if hasattr(model, "save_pretrained"):
        model.save_pretrained(folder, safe_serialization=True)
        _save_processor(model, processor, folder)
    elif hasattr(model, "pretrained_cfg"):
        try:
            from timm.models import save_for_hf
        except ImportError:
            raise missing("timm", "saving this model") from None
        save_for_hf(model, str(folder), safe_serialization=True)
    else:
        raise VitpatchError(
            f"model: expected a folder, a hub id or a model of transformers or timm, found {_type(model)}"
        )
    return str(folder)


def _download(name: str) -> str:
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise VitpatchError(
            f"model {name}: no such folder; to take it from the Hugging Face hub: pip install huggingface_hub"
        ) from None
    try:
        return str(snapshot_download(name, allow_patterns=["*.json", "*.safetensors", "pytorch_model*.bin"]))
    except Exception as error:  # of many types, network errors included
        raise VitpatchError(f"model {name}: no such folder, and the Hugging Face hub says: {error}") from error


def _save_processor(model: Any, processor: Any, folder: Path) -> None:
    """Saves the given processor, or else copies the one beside the files that the model was loaded from."""
    if processor is not None:
        processor.save_pretrained(folder)
        return
    source = Path(str(getattr(model, "name_or_path", "") or "."))
    for name in ["preprocessor_config.json", "processor_config.json"]:
        if str(source) != "." and (source / name).is_file():
            shutil.copy(source / name, folder / name)


def _data(data: Data, labels: Iterable[object] | None, model: str | None, folder: Path) -> str:
    if isinstance(data, (str, os.PathLike)):
        if labels is not None:
            raise VitpatchError(f"labels: cannot be given with {os.fspath(data)}, which has its own")
        return os.fspath(data)
    if hasattr(data, "features") and hasattr(data, "column_names"):
        pictures, labels = _columns(data, labels)
    elif isinstance(data, tuple) and len(data) == 2 and labels is None and _is_batch(data[0]):
        pictures, labels = data
    else:
        pictures = data
    if not isinstance(pictures, Iterable) or isinstance(pictures, Mapping):
        raise VitpatchError(f"data: expected a folder, a CSV file, pictures or a data set, found {_type(pictures)}")
    _write(pictures, labels, _class_names(model), folder)
    return str(folder)


def _is_batch(value: object) -> bool:
    return isinstance(value, list) or len(getattr(value, "shape", ())) == 4 or hasattr(value, "__next__")


def _columns(data: Any, labels: Iterable[object] | None) -> tuple[Iterable[Any], Iterable[object] | None]:
    """The first image column of a Hugging Face data set, and the first class label column unless `labels` are given."""

    def named(kind: str) -> str | None:
        return next((name for name, feature in data.features.items() if type(feature).__name__ == kind), None)

    image, label = named("Image"), named("ClassLabel")
    if image is None:
        raise VitpatchError(f"data: no column of the data set is an Image; it has {', '.join(data.column_names)}")
    if labels is None and label is not None:
        names = data.features[label].names
        labels = [names[index] if index >= 0 else None for index in data[label]]
    return (row[image] for row in data), labels


def _class_names(model: str | None) -> dict[int, str]:
    """The model's class names by index; empty if it has none, or if they cannot all be folder names."""
    if model is None:
        return {}
    try:
        names = json.loads((Path(model) / "config.json").read_text())["id2label"]
        found = {int(index): str(name) for index, name in names.items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return {}
    usable = all(_is_name(name) for name in found.values()) and len(set(found.values())) == len(found)
    return found if usable else {}


def _is_name(text: str) -> bool:
    return text not in ("", ".", "..") and not any(c in text for c in "/\0") and len(text.encode()) < 250


def _write(pictures: Iterable[Any], labels: Iterable[object] | None, names: dict[int, str], folder: Path) -> None:
    """Writes one PNG per picture, `CLASS/0000012.png`, numbered by its position in `pictures`; without labels there is
    no class folder."""
    folder.mkdir()
    # An iterable without a length may be read only once, so pictures and labels are read in step.
    texts = iter([None if label is None else _label(label, names) for label in labels]) if labels is not None else None
    count = 0
    for count, picture in enumerate(pictures, 1):
        label = ""
        if texts is not None:
            try:
                label = next(texts) or ""
            except StopIteration:
                raise VitpatchError(f"labels: only {count - 1} for more pictures") from None
            if not label:
                raise VitpatchError(f"labels: picture {count - 1} has none")
        (folder / label).mkdir(exist_ok=True)
        _picture(picture, count - 1).save(folder / label / f"{count - 1:07}.png", compress_level=1)
    if texts is not None and (left := sum(1 for _ in texts)):
        raise VitpatchError(f"labels: {count + left} labels for {count} pictures")
    if count == 0:
        raise VitpatchError("data: there are no pictures")


def _label(label: object, names: dict[int, str]) -> str:
    if not isinstance(label, str):
        try:
            index = int(label)  # type: ignore[call-overload]
        except (TypeError, ValueError):
            raise VitpatchError(f"labels: expected names or indices of classes, found {_type(label)}") from None
        return names.get(index, str(index))
    if not _is_name(label):
        raise VitpatchError(f"labels: {label!r} cannot name a class folder; give its index instead")
    return label


def _picture(picture: Any, position: int) -> Any:
    """Converts to a Pillow image: uint8 arrays [H, W, 3] or [H, W], Pillow images, or paths."""
    try:
        from PIL import Image
    except ImportError:
        raise missing("pillow", "saving pictures") from None
    if isinstance(picture, Image.Image):
        return picture if picture.mode in ("RGB", "L") else picture.convert("RGB")
    if isinstance(picture, (str, os.PathLike)):
        with Image.open(picture) as file:
            return file.convert("RGB")
    import numpy as np

    array = np.asarray(picture)
    if array.dtype != np.uint8 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)):
        raise VitpatchError(
            f"data: picture {position} is {array.dtype} {list(array.shape)}; expected uint8 [H, W, 3] or [H, W], "
            "or a Pillow image"
        )
    return Image.fromarray(array)


def _type(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
