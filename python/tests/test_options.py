"""Keywords as flags."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitpatch._options import flags


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"site": ["z", "q"], "window": 3}, ["--site", "z", "--site", "q", "--window", "3"]),
        ({"layers": range(3), "heads": "0+5", "tokens": [0, "patches"]},
         ["--layers", "0,1,2", "--heads", "0+5", "--tokens", "0,patches"]),
        ({"patch_with": "mean", "noise_sd": "data"}, ["--patch-with", "mean", "--noise-sd", "data"]),
        ({"logits": True, "resume": False, "limit": None}, ["--logits"]),
        ({"out": Path("a b"), "until": 0.5}, ["--out", "a b", "--until", "0.5"]),
        ({"seed": -1}, ["--seed=-1"]),
        ({"layers": 0}, ["--layers", "0"]),
    ],
)  # fmt: skip
def test_flags(options: dict[str, object], expected: list[str]) -> None:
    assert flags(options) == expected
