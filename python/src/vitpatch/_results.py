"""The results of one sweep."""

from __future__ import annotations

import html
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from ._errors import VitpatchError, missing
from ._run import run

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import xarray as xr
    from matplotlib.figure import Figure

    from ._columns import Column

Kind = Literal["layers", "heads", "tokens", "dose"]


def load(folder: str | os.PathLike[str]) -> Results:
    """Opens the results folder of a sweep; the sweep may still be running, or have been interrupted.

    Raises:
        VitpatchError: if there are no results, or their format is newer
    """
    return Results(folder)


class Results:
    """One results folder. Everything is read on demand; a notebook displays its summary.

    Attributes:
        folder: its path
        manifest: the sweep's settings, model, data and device: the keys of docs/results.md, with `spec` and
            `class_names` parsed, and `corruptions`
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        try:
            from ._store import Store
        except ModuleNotFoundError as error:
            raise missing(str(error.name), "reading results") from None
        self._store = Store(self.folder)
        self.manifest: dict[str, Any] = self._store.manifest
        self._summaries: dict[str | None, pd.DataFrame] = {}

    # Tables

    @overload
    def effects(
        self, where: Mapping[str, object] | None = None, *, engine: Literal["pandas"] = "pandas"
    ) -> pd.DataFrame: ...
    @overload
    def effects(self, where: Mapping[str, object] | None = None, *, engine: Literal["polars"]) -> pl.DataFrame: ...
    def effects(
        self, where: Mapping[str, object] | None = None, *, engine: Literal["pandas", "polars"] = "pandas"
    ) -> pd.DataFrame | pl.DataFrame:
        """One row per kept image and patch, by image, corruption, patch: the columns of `vitpatch export`, then
        `p_effect`, `logit_effect`, `logit_diff_effect`, `kl_effect` (nats) and, if the store has log-odds,
        `log_odds_effect`: patched - corrupted, or patched - clean for direction `noise`. For a patch with estimates
        (`atp_log_odds`, ...) but no exact pass, measured values are nan and `pred_patched` is missing.

        Texts are categories. `layer`, `head`, `token` and `window` are integers if all values read are (with
        `control`, `where={"control": 0}` leaves out random places and places patched together), and missing if a
        patch covers all. Metrics are the stored 32-bit floats, widened.

        Args:
            where: read only these rows, e.g. `{"site": "z", "layer": [3, 4], "direction": "restore"}`; any column that
                describes an image or a patch. The store applies the filter, so other rows are not read.
            engine: pandas or polars (where texts are strings)
        """
        if engine not in ("pandas", "polars"):
            raise VitpatchError(f"engine {engine!r} is unknown; valid are pandas, polars")
        columns = self._store.effects(where, with_effects=True)
        if engine == "polars":
            from ._columns import to_polars

            return to_polars(columns)
        return _pandas(columns)

    def images(self) -> pd.DataFrame:
        """One row per image and corruption: its clean and corrupted pass, and the columns of `--groups`. `kept` is
        False for images that `--keep` left out, which have no effects."""
        return _pandas(self._store.images())

    def patches(self) -> pd.DataFrame:
        """One row per patch: `direction, site, layer, head, token, window, control, extent`."""
        return _pandas(self._store.patch_columns())

    def summary(self, by: str | None = None) -> pd.DataFrame:
        """One row per corruption and patch (and group, with `by`): mean effects with 95% intervals, shares recovered,
        accuracies, p-values. Computed by `vitpatch summary --format csv`, with its columns. A sweep with estimates has
        a row for every patch, with `atp_log_odds_mean` and so on, and nan if no exact pass measured it.

        Args:
            by: `class`, or a column of `--groups`
        """
        if by not in self._summaries:
            try:
                import pandas as pd
            except ImportError:
                raise missing("pandas", "this table") from None
            from ._columns import places

            command = ["summary", str(self.folder), "--format", "csv", *(["--by", by] if by else [])]
            names = ["layer", "head", "token", "window"]
            table = pd.read_csv(io.StringIO(run(command).stdout), dtype=dict.fromkeys(names, "str"))
            for name in names:
                if name in table:
                    table[name] = _pandas({name: places(table[name].fillna("").tolist())})[name]
            if "ended" not in self.manifest:
                return table  # not cached: more results will follow
            self._summaries[by] = table
        copy: pd.DataFrame = self._summaries[by].copy()
        return copy

    def estimates(self, where: Mapping[str, object] | None = None) -> pd.DataFrame:
        """First-order estimates of every effect (`sweep(estimate=...)`): the columns that identify image and patch,
        then one column per estimate, such as `atp_log_odds`.

        Args:
            where: read only these rows, as in `effects`

        Raises:
            VitpatchError: if the sweep made no estimates
        """
        if not self._store.estimates:
            raise VitpatchError(f"{self.folder}: this sweep made no estimates (sweep's estimate)")
        columns = self._store.effects(where, with_effects=False)
        places = ["image", "corruption", "direction", "site", "layer", "head", "token", "window"]
        return _pandas({name: columns[name] for name in [*places, *self._store.estimates]})

    def logits(self, which: Literal["clean", "corrupted", "patched"] = "patched") -> pd.DataFrame:
        """All logits, float32: one row per pass, one column per class. The index has the image, the corruption and, for
        patched passes, the patch. Needs `sweep(logits=True)`.

        Raises:
            VitpatchError: if the sweep kept no logits
        """
        if not self.manifest.get("logits"):
            raise VitpatchError(f"{self.folder}: this sweep kept no logits (sweep's logits=True)")
        from ._columns import take

        values, patch, names = self._store.logits(which)
        if which == "patched":
            names |= {name: take(column, patch) for name, column in self._store.patch_columns().items()}
            names = {name: column for name, column in names.items() if name not in ("control", "extent")}
        index = _pandas(names)
        import pandas as pd

        classes = self.manifest["class_names"]
        frame: pd.DataFrame = pd.DataFrame(values, index=pd.MultiIndex.from_frame(index), columns=classes)
        return frame

    def to_xarray(self) -> xr.Dataset:
        """The metrics as arrays [corruption, image, patch] (patched passes) and [corruption, image] (other passes);
        columns that describe images and patches are coordinates. Effects that an interrupted sweep lacks are nan."""
        from ._xarray import dataset

        return dataset(self._store)

    # Figures

    def plot(self, kind: Kind | None = None, **options: Any) -> Figure:
        """The figure that suits the sweep, or the given `kind`: `plot_dose` for several strengths of a corruption, else
        `plot_tokens`, `plot_heads` or `plot_layers`, depending on the patches. `options` are passed to it."""
        from . import _plots

        chosen: str = kind or _plots.kind(self.summary(), self.manifest["corruptions"])
        plots = {
            "layers": self.plot_layers,
            "heads": self.plot_heads,
            "tokens": self.plot_tokens,
            "dose": self.plot_dose,
        }
        if chosen not in plots:
            raise VitpatchError(f"plot: {chosen!r} is unknown; valid are {', '.join(plots)}")
        figure: Figure = plots[chosen](**options)
        return figure

    def plot_layers(self, *, metric: str = "p", corruption: str | None = None, direction: str | None = None) -> Figure:
        """Mean effects by layer, one panel per site and window, with 95% bands. Filled dots are significant (adjusted
        p < 0.05); the dashed line is the total effect.

        Args:
            metric: p, logit_diff, kl or another metric of the summary
            corruption, direction: one of the sweep's; needed if it has several
        """
        from . import _plots

        return _plots.layers(self._rows(corruption, direction), metric)

    def plot_heads(self, *, metric: str = "p", corruption: str | None = None, direction: str | None = None) -> Figure:
        """Mean effects by layer and head, orange to blue around 0; dots mark significant ones (adjusted p < 0.05)."""
        from . import _plots

        return _plots.heads(self._rows(corruption, direction), metric)

    def plot_tokens(
        self,
        *,
        image: str | None = None,
        picture: Any = None,
        metric: str = "p",
        corruption: str | None = None,
        direction: str | None = None,
    ) -> Figure:
        """Effects by token. If every token has a patch: one panel per layer, with image patches at their positions.

        Args:
            image: the id of one image, to show its own effects instead of the mean
            picture: drawn under the effects: a path, Pillow image or array [H, W, 3]; with `image`, the default is
                that file in the sweep's data folder, if it still exists
        """
        from . import _plots, _tokens

        rows = self._rows(corruption, direction)
        if image is not None:
            rows = _tokens.of_image(rows, self.effects({"image": image, "control": 0}), image, metric)
            file = Path(self.manifest["data"]) / image
            picture = file if picture is None and file.is_file() else picture
        return _plots.tokens(rows, metric, picture, image)

    def plot_dose(self, *, metric: str = "p", direction: str | None = None) -> Figure:
        """The total effect and the strongest patch of every site and window, by the corruption's strength."""
        from . import _plots

        return _plots.dose(self._rows("*", direction), metric)

    def _rows(self, corruption: str | None, direction: str | None) -> pd.DataFrame:
        """The summary's measured rows for one corruption and direction; `*` for all corruptions."""
        from ._show import measured

        rows = measured(self.summary())
        for name, wanted in (("corruption", corruption), ("direction", direction)):
            found = list(rows[name].unique())
            if wanted == "*" or not found:
                continue
            if wanted is None and len(found) > 1:
                raise VitpatchError(f"the sweep has several values of {name}: {', '.join(found)}; choose one")
            if wanted is not None and wanted not in found:
                raise VitpatchError(f"{name} {wanted!r}: the sweep has {', '.join(found)}")
            rows = rows[rows[name] == (wanted or found[0])]
        return rows

    # Display

    def __repr__(self) -> str:
        state = "" if "ended" in self.manifest else ", not finished"
        return (
            f"<vitpatch.Results {self.folder}: {self.manifest['model']} on {self.manifest['data']}, "
            f"{', '.join(self.manifest['corruptions'])}, {len(self._store.patches)} patches{state}>"
        )

    def _repr_html_(self) -> str:
        from ._show import page

        try:
            return page(self)
        except VitpatchError as error:
            return f"<p>{html.escape(repr(self))}</p><p>{html.escape(str(error))}</p>"


def _pandas(columns: Mapping[str, Column]) -> pd.DataFrame:
    from ._columns import to_pandas

    return to_pandas(columns)
