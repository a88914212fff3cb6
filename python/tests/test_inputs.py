"""Model objects and pictures from Python."""

from __future__ import annotations

import json
import shutil
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from PIL import Image

import vitpatch
from vitpatch import VitpatchError
from vitpatch._inputs import prepared

COLOUR = ROOT / "Demo/colour"
Pictures = tuple[np.ndarray[Any, Any], list[int], list[str]]


@pytest.fixture(scope="module")
def expected() -> pd.DataFrame:
    """The program's predictions for the first 24 images of the demo"""
    return vitpatch.classify(limit=24)


def classified(table: pd.DataFrame) -> pd.DataFrame:
    """Sorts rows in the order of the given pictures."""
    place = table.image.str[-11:-4].astype(int)
    ordered: pd.DataFrame = table.assign(place=place).sort_values("place").reset_index(drop=True)
    return ordered


@pytest.mark.parametrize("kind", ["array", "list", "pillow", "pair"])
def test_pictures(kind: str, pictures: Pictures, expected: pd.DataFrame) -> None:
    pixels, labels = pictures[0][:24], pictures[1][:24]
    options: dict[str, dict[str, Any]] = {
        "array": {"data": pixels, "labels": np.array(labels)},
        "list": {"data": list(pixels), "labels": iter(labels)},
        "pillow": {"data": (Image.fromarray(p) for p in pixels), "labels": labels},
        "pair": {"data": (pixels, labels)},
    }
    table = classified(vitpatch.classify(COLOUR, **options[kind]))
    pd.testing.assert_frame_equal(table.drop(columns=["image", "place"]), expected.drop(columns="image"))
    assert table.image[1] == "green-cross/0000001.png"


def test_paths_and_names_of_classes(pictures: Pictures, expected: pd.DataFrame, tmp_path: Path) -> None:
    names = json.loads((COLOUR / "config.json").read_text())["id2label"]
    paths = []
    for place in range(8):
        paths.append(tmp_path / f"{place}.png")
        Image.fromarray(pictures[0][place]).save(paths[-1])
    labels = [names[str(label)] for label in pictures[1][:8]]
    table = classified(vitpatch.classify(COLOUR, paths, labels=labels))
    assert table.prediction.tolist() == expected.prediction[:8].tolist()
    assert table.label.tolist() == pictures[1][:8]


def test_a_sweep_of_arrays(pictures: Pictures, tmp_path: Path) -> None:
    options: dict[str, Any] = {"layers": 0, "window": 1, "progress": False}
    ours = vitpatch.sweep(COLOUR, pictures[0][:16], labels=pictures[1][:16], out=tmp_path / "a", **options)
    demo = vitpatch.sweep(limit=16, out=tmp_path / "b", **options)
    assert sorted(ours.effects().p_patched) == sorted(demo.effects().p_patched)


def test_a_model_object(expected: pd.DataFrame, tmp_path: Path) -> None:
    """The parts of transformers' models in use: save_pretrained, and the source folder for the processor."""

    class Model:
        name_or_path = str(COLOUR)

        def save_pretrained(self, folder: Path, safe_serialization: bool) -> None:
            assert safe_serialization
            folder.mkdir()
            for name in ("config.json", "model.safetensors"):
                shutil.copy(COLOUR / name, folder / name)

    class Processor:
        def save_pretrained(self, folder: Path) -> None:
            (folder / "preprocessor_config.json").write_text((COLOUR / "preprocessor_config.json").read_text())

    pd.testing.assert_frame_equal(vitpatch.classify(Model(), limit=24), expected)
    Model.name_or_path = ""
    pd.testing.assert_frame_equal(vitpatch.classify(Model(), processor=Processor(), limit=24), expected)


def test_a_timm_model(monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[str] = []
    timm, models = types.ModuleType("timm"), types.ModuleType("timm.models")
    models.save_for_hf = lambda model, folder, safe_serialization: saved.append(folder)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "timm", timm)
    monkeypatch.setitem(sys.modules, "timm.models", models)
    with prepared(types.SimpleNamespace(pretrained_cfg={}), None, None, None) as options:
        assert saved == [options["model"]]
    monkeypatch.setitem(sys.modules, "timm.models", None)
    with pytest.raises(VitpatchError, match="needs the package timm"):  # noqa: SIM117
        with prepared(types.SimpleNamespace(pretrained_cfg={}), None, None, None):
            pass


def test_a_model_on_the_hub(expected: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = types.ModuleType("huggingface_hub")
    hub.snapshot_download = lambda name, allow_patterns: {"owner/demo": str(COLOUR)}[name]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    pd.testing.assert_frame_equal(vitpatch.classify("owner/demo", limit=24), expected)
    with pytest.raises(VitpatchError, match="model owner/none: no such folder, and the Hugging Face hub says"):
        vitpatch.classify("owner/none")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(VitpatchError, match=r"model owner/demo: no such folder; .*pip install huggingface_hub"):
        vitpatch.classify("owner/demo")


class ClassLabel:
    names = ("green-circle", "green-cross", "green-square", "green-triangle", "red-circle", "red-cross", "red-square",
             "red-triangle")  # fmt: skip


ImageFeature = type("Image", (), {})


class Dataset:
    """The parts of a Hugging Face data set that are used"""

    def __init__(self, pixels: Any, labels: list[int]) -> None:
        self.rows = [{"picture": Image.fromarray(p), "kind": k} for p, k in zip(pixels, labels, strict=True)]
        self.features = {"picture": ImageFeature(), "kind": ClassLabel()}
        self.column_names = list(self.features)

    def __iter__(self) -> Any:
        return iter(self.rows)

    def __getitem__(self, name: str) -> list[Any]:
        return [row[name] for row in self.rows]


def test_a_hugging_face_data_set(pictures: Pictures, expected: pd.DataFrame) -> None:
    data = Dataset(pictures[0][:24], pictures[1][:24])
    table = classified(vitpatch.classify(data=data))
    pd.testing.assert_frame_equal(table.drop(columns=["image", "place"]), expected.drop(columns="image"))
    del data.features["picture"]
    with pytest.raises(VitpatchError, match="no column of the data set is an Image; it has picture, kind"):
        vitpatch.classify(data=data)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"model": 3}, "model: expected a folder, a hub id or a model of transformers or timm, found int"),
        ({"data": 3}, "data: expected a folder, a CSV file, pictures or a data set, found int"),
        ({"data": [np.zeros((4, 4, 3))], "labels": [0]}, r"data: picture 0 is float64 \[4, 4, 3\]; expected uint8"),
        ({"data": [np.zeros((3, 4, 4), np.uint8)], "labels": [0]}, r"picture 0 is uint8 \[3, 4, 4\]"),
        ({"data": [], "labels": []}, "data: there are no pictures"),
        ({"data": np.zeros((2, 4, 4, 3), np.uint8), "labels": [0]}, "labels: only 1 for more pictures"),
        ({"data": np.zeros((1, 4, 4, 3), np.uint8), "labels": [0, 1, 2]}, "labels: 3 labels for 1 pictures"),
        ({"data": np.zeros((1, 4, 4, 3), np.uint8), "labels": [[0]]}, "labels: expected names or indices of classes"),
        ({"data": np.zeros((1, 4, 4, 3), np.uint8), "labels": ["a/b"]}, "labels: 'a/b' cannot name a class folder"),
        ({"labels": [1]}, "labels: given without data"),
        ({"data": "folder", "labels": [1]}, "labels: cannot be given with folder, which has its own"),
    ],
)
def test_bad_input_is_named(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(VitpatchError, match=sentence):
        vitpatch.classify(**options)


def test_nothing_is_left_behind(pictures: Pictures) -> None:
    with prepared(None, pictures[0][:2], [0, 1], None) as options:
        assert [p.name for p in sorted(Path(options["data"]).rglob("*.png"))] == ["0000000.png", "0000001.png"]
    assert not Path(options["data"]).exists()
