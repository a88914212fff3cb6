"""Compares printed texts: numbers with decimals may differ as processors round, all else may not."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"[-+]?\d+\.\d+(?:e[-+]?\d+)?")
_TIMES = re.compile(r"\d{4}-\d\d-\d\d-\d{6}")
TOLERANCE = 0.003


def same(want: str, got: str) -> bool:
    """Whether two texts agree, but for spaces, and within `TOLERANCE`, absolute or relative, of their numbers."""
    want, got = (" ".join(_TIMES.sub("TIME", text).split()) for text in (want, got))
    if _NUMBER.sub("#", want) != _NUMBER.sub("#", got):
        return False
    pairs = zip(map(float, _NUMBER.findall(want)), map(float, _NUMBER.findall(got)), strict=True)
    return all(abs(a - b) <= TOLERANCE * max(1, abs(a)) for a, b in pairs)
