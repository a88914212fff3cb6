"""Sweeps of the built-in demo shared by tests, and its images as arrays."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest

import vitpatch
from vitpatch import Results

matplotlib.use("agg")
ROOT = Path(__file__).resolve().parents[2]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--store-notebooks", action="store_true", help="store what the notebooks print, do not compare")


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Layers and heads, both directions, random places, logits and groups, on 24 images."""
    folder = tmp_path_factory.mktemp("sweeps")
    groups = folder / "groups.csv"
    ids = vitpatch.classify(limit=24).image
    groups.write_text("image,half\n" + "".join(f"{image},{'ab'[i % 2]}\n" for i, image in enumerate(ids)))
    return vitpatch.sweep(
        site=["attn_out", "z"], window=[1, 3], layers="0-3", direction=["restore", "noise"], limit=24, control=3,
        logits=True, groups=groups, out=folder / "swept", progress=False,
    )  # fmt: skip


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Every token of two layers, on 8 images."""
    out = tmp_path_factory.mktemp("sweeps") / "tokens"
    return vitpatch.sweep(site="resid_post", tokens="each", layers=[1, 2], limit=8, out=out, progress=False)


@pytest.fixture(scope="session")
def doses(tmp_path_factory: pytest.TempPathFactory) -> Results:
    out = tmp_path_factory.mktemp("sweeps") / "doses"
    return vitpatch.sweep(corruption="noise:0.5,1,2", layers=[0, 3], limit=8, out=out, progress=False)


@pytest.fixture(scope="session")
def pictures() -> tuple[np.ndarray[Any, Any], list[int], list[str]]:
    """The demo's images: pixels [240, 32, 32, 3], labels, ids."""
    file = vitpatch.Activations(ROOT / "Demo/images.safetensors")
    return np.array(file["images"]), [int(label) for label in file["labels"]], file.ids


@pytest.fixture(autouse=True)
def _warnings() -> Any:
    """Unexpected warnings are errors, the program's included."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", vitpatch.VitpatchWarning)
        yield
