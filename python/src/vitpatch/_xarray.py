"""A sweep as an xarray Dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._columns import Column, Texts, to_pandas
from ._errors import missing
from ._store import Store

if TYPE_CHECKING:
    import xarray as xr


def dataset(store: Store) -> xr.Dataset:
    """Metrics as arrays [corruption, image, patch] and [corruption, image]"""
    try:
        import xarray as xr
    except ImportError:
        raise missing("xarray", "to_xarray()") from None
    with store._database() as db:
        keys, columns = store.image_columns(db, kept_only=True)
        every = np.arange(len(keys)), np.arange(len(store.patches))
        found = store._read_effects(db, keys, *every)
        estimated = store.read_estimates(db, keys, *every)[0] if store.estimates else {}
    images = {image: index for index, image in enumerate(dict.fromkeys(image for image, _ in keys))}
    where = np.array([(corruption, images[image]) for image, corruption in keys], np.int64).reshape(-1, 2).T
    shape = (len(store.corruptions), len(images))
    variables: dict[str, Any] = {}
    coordinates: dict[str, Any] = {"corruption": store.corruptions}
    for name, column in columns.items():
        if name == "corruption":
            continue
        if name in ("image", "label"):  # the same under every corruption
            flat = np.empty(len(images), object)
            flat[where[1]] = _plain(column)
            coordinates[name] = ("image", flat.astype(str) if name == "image" else flat.astype(np.float64))
            continue
        values = np.full(shape, np.nan)
        values[where[0], where[1]] = _plain(column).astype(np.float64)
        variables[name] = (("corruption", "image"), values)
    for name in [*store.metrics, "kl", "pred"]:
        values = np.full((*shape, len(store.patches)), np.nan)
        row = found["row"]
        values[where[0][row], where[1][row], found["patch"]] = found[name]
        variables[f"{name}_patched"] = (("corruption", "image", "patch"), values)
    for name, estimates in estimated.items():
        values = np.full((*shape, len(store.patches)), np.nan)
        values[where[0], where[1]] = estimates
        variables[name] = (("corruption", "image", "patch"), values)
    for name, column in store.patch_columns().items():
        coordinates[name] = ("patch", _plain(column))
    return xr.Dataset(variables, coordinates, {"model": store.manifest["model"], "data": store.manifest["data"]})


def _plain(column: Column) -> np.ndarray[Any, Any]:
    """An array of numpy's own types; missing values are "" and nan."""
    if isinstance(column, np.ndarray):
        return column
    values = to_pandas({"x": column})["x"]
    if isinstance(column, Texts):
        return np.array(["" if code < 0 else column.values[code] for code in column.codes], np.str_)
    return values.to_numpy(np.float64, na_value=np.nan)
