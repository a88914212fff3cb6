"""Columns of a table, before their conversion to pandas or polars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ._errors import missing

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

Array: TypeAlias = "np.ndarray[Any, Any]"


@dataclass(frozen=True)
class Texts:
    """Repeated texts: row i has `values[codes[i]]`; code -1 is missing."""

    values: list[str]
    codes: Array

    def take(self, rows: Array) -> Texts:
        return Texts(self.values, self.codes[rows])


@dataclass(frozen=True)
class Integers:
    """Integers, some of them missing."""

    values: Array
    missing: Array

    def take(self, rows: Array) -> Integers:
        return Integers(self.values[rows], self.missing[rows])


Column: TypeAlias = "Array | Texts | Integers"


def take(column: Column, rows: Array) -> Column:
    return column[rows] if isinstance(column, np.ndarray) else column.take(rows)


def texts(items: Sequence[str]) -> Texts:
    """Encodes texts in the order of their first appearance; the empty text is missing."""
    index: dict[str, int] = {}
    codes = [index.setdefault(item, len(index)) if item else -1 for item in items]
    smallest = next(t for t in (np.int8, np.int16, np.int32) if len(index) <= np.iinfo(t).max)
    return Texts(list(index), np.array(codes, smallest))


def integers(items: Sequence[int | None]) -> Column:
    """A plain array if no item is missing (None)."""
    absent = np.array([item is None for item in items], bool)
    values = np.array([0 if item is None else item for item in items], np.int64)
    return Integers(values, absent) if absent.any() else values


def places(items: Sequence[str]) -> Column:
    """Layers, heads, tokens or windows: integers if every text is one, as a CSV reader would infer."""
    if all(item == "" or (item.isascii() and item.isdigit()) for item in items):
        return integers([int(item) if item else None for item in items])
    return texts(items)


def to_pandas(columns: Mapping[str, Column]) -> pd.DataFrame:
    """Texts become categories, integers with gaps Int64."""
    try:
        import pandas as pd
    except ImportError:
        raise missing("pandas", "this table") from None

    def convert(column: Column) -> Any:
        if isinstance(column, Texts):
            return pd.Categorical.from_codes(column.codes, categories=pd.Index(column.values, dtype="str"))
        if isinstance(column, Integers):
            return pd.arrays.IntegerArray(column.values, column.missing)
        return column

    frame: pd.DataFrame = pd.DataFrame({name: convert(column) for name, column in columns.items()}, copy=False)
    return frame


def to_polars(columns: Mapping[str, Column]) -> pl.DataFrame:
    """Texts become strings, gaps null."""
    try:
        import polars as pl
    except ImportError:
        raise missing("polars", 'engine="polars"') from None

    def convert(name: str, column: Column) -> Any:
        if isinstance(column, Texts):
            codes = pl.Series(name, column.codes.astype(np.int64))
            return pl.Series(name, column.values, dtype=pl.String).gather(codes.set(codes < 0, None))
        if isinstance(column, Integers):
            return pl.Series(name, column.values).set(pl.Series(column.missing), None)
        return pl.Series(name, column)

    return pl.DataFrame([convert(name, column) for name, column in columns.items()])
