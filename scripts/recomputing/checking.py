"""Comparison of a number shown with a number recomputed; the differences are collected for the end."""

import math
import re
from collections import defaultdict

problems: list[str] = []
compared: dict[str, int] = defaultdict(int)


def check(what: str, found: float, wanted: float, tolerance: float = 0.0, kind: str = "numbers") -> None:
    """`tolerance` is absolute; 1e-9 of the value is added for another order of summation."""
    compared[kind] += 1
    if math.isnan(found) and math.isnan(wanted):
        return
    if not abs(found - wanted) <= tolerance + 1e-9 * max(1.0, abs(wanted)):
        problems.append(f"{what}: shown {found}, recomputed {wanted} (tolerance {tolerance:.3g})")


def number(text: str) -> float:
    """Parses `+0.123`, `62.0%`, `≤ 0.0001`; nan if there is no number"""
    match = re.match(r"^[<≤]?\s*([+-]?[\d.]+(?:e[+-]?\d+)?)(%?)", text.replace("−", "-").strip())
    return float(match[1]) / (100 if match[2] else 1) if match else math.nan


def unit(text: str) -> float:
    """Half of the last digit shown"""
    match = re.search(r"[\d.]+", text)
    digits = len(match[0].partition(".")[2]) if match else 0
    return 0.5 * 10.0**-digits / (100 if "%" in text else 1) * 1.001
