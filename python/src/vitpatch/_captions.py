"""The words of the figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_SYMBOLS = {"p": "Δp", "logit_diff": "Δ logit difference", "log_odds": "Δ log-odds", "kl": "Δ KL (nats)"}


def symbol(metric: str) -> str:
    return _SYMBOLS.get(metric, f"Δ {metric}")


def window(window: str) -> str:
    return "layer sets" if not window else "single layers" if window == "1" else f"windows of {window}"


def place(row: pd.Series[Any]) -> str:
    names = ["layer", "head", "token", "window"]
    return " ".join([str(row["site"]), *(f"{n} {row[n]}" for n in names if str(row[n]) not in ("nan", "<NA>"))])


def title(text: str, rows: pd.DataFrame) -> str:
    return f"{text}: {rows['direction'].iloc[0]}, {rows['corruption'].iloc[0]}"
