"""What figures take from the rows of a summary."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ._errors import VitpatchError

if TYPE_CHECKING:
    import pandas as pd


def names(rows: pd.DataFrame, metric: str) -> dict[str, str]:
    """The summary's columns for a metric."""
    prefix = "" if metric == "p" else f"{metric}_"
    names = {"mean": f"{prefix}mean_effect", "low": f"{prefix}ci_low", "high": f"{prefix}ci_high"}
    if names["mean"] not in rows:
        columns = [str(name) for name in rows]
        known = [c.removesuffix("_mean_effect") for c in columns if c.endswith("_mean_effect")]
        raise VitpatchError(f"metric {metric!r} is unknown; the summary has {', '.join(['p', *known])}")
    return names


def split(rows: pd.DataFrame, by: list[str]) -> list[tuple[tuple[str, ...], pd.DataFrame]]:
    """Groups rows by the texts of some columns ("" if missing), in the sweep's order."""
    texts = list(zip(*(labels(rows[name]) for name in by), strict=True))
    where: dict[tuple[str, ...], list[int]] = {}
    for index, key in enumerate(texts):
        where.setdefault(key, []).append(index)
    return [(key, rows.iloc[index]) for key, index in where.items()]


def labels(values: pd.Series[Any]) -> list[str]:
    return ["" if gone else str(value) for value, gone in zip(values.tolist(), values.isna(), strict=True)]


def covers_all(rows: pd.DataFrame) -> bool:
    return bool((rows["head"].isna() & rows["token"].isna()).any())


def total(rows: pd.DataFrame) -> float:
    """The total effect, signed by the patches' direction."""
    return (-1 if rows["direction"].iloc[0] == "noise" else 1) * float(rows["total_effect"].iloc[0])


def largest(values: pd.Series[Any]) -> float:
    sizes = np.abs(values.to_numpy(float))
    return float(np.nanmax(sizes)) if np.isfinite(sizes).any() and np.nanmax(sizes) > 0 else 1.0


def grid(tokens: pd.Series[Any]) -> int | None:
    """The side of the grid of image patches, if the tokens are 0 ... side * side."""
    found = set(labels(tokens))
    side = math.isqrt(max(0, len(found) - 1))
    return side if side > 1 and found == {str(n) for n in range(side * side + 1)} else None


def doses(corruptions: list[str]) -> dict[str, dict[str, float]]:
    """`{"noise": {"noise:0.5": 0.5, "noise:1": 1.0}}`, for corruptions with several strengths."""
    kinds: dict[str, dict[str, float]] = {}
    for spec in corruptions:
        name, _, number = spec.partition(":")
        try:
            kinds.setdefault(name, {})[spec] = float(number)
        except ValueError:
            continue
    return {name: doses for name, doses in kinds.items() if len(doses) > 1}
