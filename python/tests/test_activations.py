"""Reading .safetensors files, and the command that writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vitpatch
from vitpatch import Activations, VitpatchError


def write(path: Path, header: Any, data: bytes) -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def test_arrays_are_mapped(tmp_path: Path) -> None:
    values = np.arange(24, dtype="<f4").reshape(2, 3, 4)
    header = {
        "__metadata__": {"ids": '["a/1.png", "b/2.png"]', "model": "x"},
        "clean.z.3": {"dtype": "F32", "shape": [2, 3, 4], "data_offsets": [0, 96]},
        "none": {"dtype": "F32", "shape": [0, 4], "data_offsets": [96, 96]},
    }
    found = Activations(write(tmp_path / "a.safetensors", header, values.tobytes()))
    assert (
        found.ids == ["a/1.png", "b/2.png"] and found.metadata["model"] == "x" and list(found) == ["clean.z.3", "none"]
    )
    assert isinstance(found["clean.z.3"], np.memmap)
    np.testing.assert_array_equal(found["clean.z.3"], values)
    assert found["none"].shape == (0, 4)
    assert repr(found).endswith("2 arrays of 2 images>")


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ({"x": {"dtype": "F8", "shape": [1], "data_offsets": [0, 1]}}, "x is F8; expected F32"),
        ({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, r"x has 4 bytes, .* not match shape \[2\]"),
        ({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, "the file ends before x does"),
    ],
)
def test_broken_arrays(tmp_path: Path, header: Any, sentence: str) -> None:
    found = Activations(write(tmp_path / "a", header, b"1234"))
    with pytest.raises(VitpatchError, match=sentence):
        found["x"]


def test_broken_files(tmp_path: Path) -> None:
    with pytest.raises(VitpatchError, match="No such file"):
        Activations(tmp_path / "none")
    for content in (b"", b"\xff" * 8, (4).to_bytes(8, "little") + b"{no}"):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(VitpatchError, match=r"this is not a .safetensors file"):
            Activations(tmp_path / "x")


def test_the_command(tmp_path: Path) -> None:
    out = tmp_path / "z.safetensors"
    found = vitpatch.activations(site="z", layers=3, limit=2, out=out)
    assert found["clean.z.3"].shape == (2, 4, 65, 16) and len(found.ids) == 2
    assert found.metadata["model"] == "demo" and len(found.metadata["model_hash"]) == 64
    with pytest.raises(VitpatchError, match="--overwrite replaces it"):
        vitpatch.activations(site="z", limit=2, out=out)


def test_arrays_go_back(tmp_path: Path) -> None:
    """Unchanged arrays act as the clean pass, zeros as an ablation; places and images are not mixed up."""
    found = vitpatch.activations(site="z", layers=[2, 3], limit=4, out=tmp_path / "a", corruption="grayscale")
    same: dict[str, Any] = {"site": "z", "layers": [2, 3], "limit": 4, "progress": False}
    usual = vitpatch.sweep(**same, out=tmp_path / "usual").effects()
    own = vitpatch.sweep(**same, patch_with=f"file:{found.path}", out=tmp_path / "own").effects()
    assert (own.p_patched == usual.p_patched).all()

    order = [2, 0, 3, 1]
    arrays = {f"patch.z.{layer}": found[f"clean.z.{layer}"][order] for layer in (2, 3)}
    file = vitpatch.save_activations(tmp_path / "b", arrays, [found.ids[i] for i in order])
    again = vitpatch.sweep(**same, patch_with=f"file:{file.path}", out=tmp_path / "again").effects()
    assert (again.p_patched == usual.p_patched).all()

    zeros = {name: np.zeros_like(array) for name, array in arrays.items()}
    file = vitpatch.save_activations(file.path, zeros, [found.ids[i] for i in order])
    given = vitpatch.sweep(**same, patch_with=f"file:{file.path}", out=tmp_path / "zeros").effects()
    wanted = vitpatch.sweep(**same, patch_with="zero", out=tmp_path / "zero").effects()
    assert (given.p_patched == wanted.p_patched).all() and (given.p_patched != usual.p_patched).any()


def test_what_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(VitpatchError, match=r"patch.z.0 is \[2, 1\]; expected 3 images"):
        vitpatch.save_activations(tmp_path / "x", {"patch.z.0": np.zeros((2, 1))}, ["a", "b", "c"])
    with pytest.raises(VitpatchError, match="No such file"):
        vitpatch.save_activations(tmp_path / "none" / "x", {}, [])
