"""Tests of the comparison of printed texts."""

from __future__ import annotations

import pytest
from compare import same


@pytest.mark.parametrize(
    ("want", "got", "expected"),
    [
        ("a  1.25\n", "a 1.25", True),
        ("0.58", "0.59", True),
        ("0.58", "0.60", False),
        ("0.5801", "0.5820", True),
        ("0.5801", "0.5830", False),
        ("layer 1 0.5", "layer 2 0.5", False),
        ("-0.0", "0.0", True),
        ("+0.001", "-0.001", True),
        ("runs/2026-01-02-030405", "runs/2027-01-02-030405", True),
        ("1.0 2.0", "1.0", False),
        ("1.5e-05", "1.6e-05", True),
    ],
)
def test_same(want: str, got: str, expected: bool) -> None:
    assert same(want, got) is expected
