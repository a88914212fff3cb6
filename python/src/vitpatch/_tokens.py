"""Effects of a single image in place of means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._errors import VitpatchError

if TYPE_CHECKING:
    import pandas as pd

_KEYS = ["corruption", "direction", "site", "layer", "head", "token", "window"]


def of_image(rows: pd.DataFrame, effects: pd.DataFrame, image: str, metric: str) -> pd.DataFrame:
    """The summary's `rows` with one image's own effects as their means, and without intervals and p-values."""
    if effects.empty:
        raise VitpatchError(f"image {image!r}: the sweep has no effects of it")
    column = f"{metric}_effect"
    if column not in effects:
        raise VitpatchError(f"metric {metric!r}: the sweep has no column {column}")
    own = {_key(place): value for *place, value in effects[[*_KEYS, column]].itertuples(index=False, name=None)}
    out: pd.DataFrame = rows.copy()
    prefix = "" if metric == "p" else f"{metric}_"
    out[f"{prefix}mean_effect"] = [
        own.get(_key(place), float("nan")) for place in rows[_KEYS].itertuples(index=False, name=None)
    ]
    out["p_adjusted"] = float("nan")
    return out


def _key(place: object) -> tuple[str, ...]:
    return tuple("" if str(value) in ("nan", "<NA>") else str(value) for value in place)  # type: ignore[attr-defined]
