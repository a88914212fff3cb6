"""Reading .safetensors files, and the command that writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vitpatch
from vitpatch import Activations, VitpatchError
from vitpatch._run import run


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
        ({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, r"x has 4 bytes, which are not \[2\]"),
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
        with pytest.raises(VitpatchError, match=r"this is no .safetensors file"):
            Activations(tmp_path / "x")


def test_the_command(tmp_path: Path) -> None:
    out = tmp_path / "z.safetensors"
    if "activations" not in run(["--help"]).stdout:
        with pytest.raises(VitpatchError, match="there is no command 'activations'"):
            vitpatch.activations(site="z", layers=3, limit=2, out=out)
        return
    found = vitpatch.activations(site="z", layers=3, limit=2, out=out)
    assert found["clean.z.3"].shape == (2, 4, 65, 16) and len(found.ids) == 2
