"""Compares printed texts: numbers with decimals may differ by rounding between processors; all else must be equal."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"[-+]?\d+\.\d+(?:e[-+]?\d+)?")
_TIMES = re.compile(r"\d{4}-\d\d-\d\d-\d{6}")
TOLERANCE = 0.002


def same(want: str, got: str) -> bool:
    """Whether two texts agree up to spaces, and numbers up to one unit of the last digit or `TOLERANCE`."""
    want, got = (" ".join(_TIMES.sub("TIME", text).split()) for text in (want, got))
    if _NUMBER.sub("#", want) != _NUMBER.sub("#", got):
        return False
    pairs = zip(_NUMBER.findall(want), _NUMBER.findall(got), strict=True)
    return all(abs(float(a) - float(b)) <= max(TOLERANCE, 1.01 * _unit(a)) for a, b in pairs)


def _unit(number: str) -> float:
    """The unit of the last digit: 0.01 for `0.58`"""
    digits, _, exponent = number.partition("e")
    return float(10.0 ** (int(exponent or 0) - len(digits.partition(".")[2])))
