"""Figures of a summary, in the style of `vitpatch report`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _captions, _plot_rows, _style
from ._errors import VitpatchError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def kind(rows: pd.DataFrame, corruptions: list[str]) -> str:
    """The kind of figure that suits these rows."""
    if _plot_rows.doses(corruptions):
        return "dose"
    if rows["token"].nunique() > 4:
        return "tokens"
    return "heads" if rows["head"].nunique() > 1 else "layers"


def layers(rows: pd.DataFrame, metric: str) -> Figure:
    rows = rows[rows["head"].isna() & rows["token"].isna()] if _plot_rows.covers_all(rows) else rows
    names = _plot_rows.names(rows, metric)
    panels = [
        (site, window, part, colour)
        for colour, ((site,), of_site) in enumerate(_plot_rows.split(rows, ["site"]))
        for (window,), part in _plot_rows.split(of_site, ["window"])
    ]
    if not panels:
        raise VitpatchError("plot_layers: the sweep has no patches")
    total = _plot_rows.total(rows) if metric == "p" else math.nan
    largest = np.nanmax(np.abs(rows[[names["low"], names["high"], names["mean"]]].to_numpy(float)))
    columns = min(4, len(panels))
    lines = math.ceil(len(panels) / columns)
    with _style.figure(0.8 + 2.9 * columns, 0.5 + 2.3 * lines) as figure:
        grid = figure.subplots(lines, columns, sharey=True, squeeze=False)
        for ax in grid.flat[len(panels) :]:
            ax.set_visible(False)
        for ax, (site, window, part, colour) in zip(grid.flat, panels, strict=False):
            _line(ax, part, names, _style.SERIES[colour % 6], _plot_rows.labels(part["layer"]))
            ax.set_title(f"{site}, {_captions.window(window)}" if part["layer"].notna().any() else site)
            ax.set_xlabel("layer" if window in ("", "1") else "centre layer")
            if math.isfinite(total) and abs(total) < 2.5 * largest:
                ax.axhline(total, color=_style.SOFT, linewidth=1.1, linestyle=(0, (4, 3)))
        for ax in grid[:, 0]:
            ax.set_ylabel(f"mean {_captions.symbol(metric)}")
        figure.suptitle(_captions.title("Effect by layer", rows), x=0.01, ha="left", fontsize=11)
    return figure


def heads(rows: pd.DataFrame, metric: str) -> Figure:
    rows = rows[rows["head"].notna()]
    groups = _plot_rows.split(rows, ["site", "token", "window"])
    if not groups:
        raise VitpatchError('plot_heads: the sweep has no patches of single heads (sweep(site="z"))')
    names = _plot_rows.names(rows, metric)
    limit = _plot_rows.largest(rows[names["mean"]])
    sizes = [(part["head"].nunique(), part["layer"].nunique()) for _, part in groups]
    width = sum(max(2.2, 0.9 + 0.34 * wide) for wide, _ in sizes) + 1
    with _style.figure(min(max(width, 4.2), 16), 1.1 + max(1.2, 0.34 * max(high for _, high in sizes))) as figure:
        axes = figure.subplots(1, len(groups), squeeze=False)[0]
        for ax, ((site, token, window), part) in zip(axes, groups, strict=True):
            _matrix(ax, part, "layer", "head", names, limit)
            detail = [f"token {token}" if token else "", f"window {window}" if window not in ("", "1") else ""]
            ax.set_title(", ".join([site, *filter(None, detail)]))
        _scale(figure, axes, limit, f"mean {_captions.symbol(metric)}")
        figure.suptitle(_captions.title("Effect by layer and head", rows), x=0.01, ha="left", fontsize=11)
    return figure


def tokens(rows: pd.DataFrame, metric: str, picture: Any, image: str | None = None) -> Figure:
    rows = rows[rows["token"].notna()]
    groups = _plot_rows.split(rows, ["site", "head", "window"])
    if not groups:
        raise VitpatchError('plot_tokens: the sweep has no patches of single tokens (sweep(tokens="each"))')
    if len(groups) > 1:
        shown = [", ".join(filter(None, key)) for key, _ in groups]
        raise VitpatchError(f"plot_tokens: the sweep has several kinds of token patches: {'; '.join(shown)}")
    (site, *_), part = groups[0]
    names = _plot_rows.names(rows, metric)
    symbol = _captions.symbol(metric) if image else f"mean {_captions.symbol(metric)}"
    what = f", {site}" + (f", {image}" if image else "")
    side = _plot_rows.grid(part["token"])
    if side is None:
        if picture is not None:
            raise VitpatchError("plot_tokens: a picture needs patches of every single token")
        limit = _plot_rows.largest(part[names["mean"]])
        high, wide = part["layer"].nunique(), part["token"].nunique()
        with _style.figure(min(16.0, 2 + 0.25 * wide), 1.2 + max(0.8, 0.3 * high)) as figure:
            ax = figure.subplots()
            _matrix(ax, part, "layer", "token", names, limit)
            _scale(figure, [ax], limit, symbol)
            figure.suptitle(_captions.title(f"Effect by layer and token{what}", rows), x=0.01, ha="left", fontsize=11)
        return figure
    # Deep in the network the CLS token has nearly all of the effect, and would leave the patches without colour.
    limit = _plot_rows.largest(part[part["token"] != 0][names["mean"]])
    of_layers = _plot_rows.split(part, ["layer"])
    columns = min(6, len(of_layers))
    lines = math.ceil(len(of_layers) / columns)
    with _style.figure(1.1 + 1.7 * columns, 0.5 + 2.0 * lines) as figure:
        grid = figure.subplots(lines, columns, squeeze=False)
        for ax in grid.flat[len(of_layers) :]:
            ax.set_visible(False)
        for ax, ((layer,), cells) in zip(grid.flat, of_layers, strict=False):
            _patches(ax, cells, names["mean"], side, limit, picture)
            cls = cells.loc[cells["token"] == 0, names["mean"]].iloc[0]
            ax.set_title(f"{f'layer {layer}' if layer else site}\nCLS {cls:+.3f}")
        _scale(figure, grid.ravel(), limit, symbol)
        figure.suptitle(_captions.title(f"Effect by image patch{what}", rows), x=0.01, ha="left", fontsize=11)
    return figure


def dose(rows: pd.DataFrame, metric: str) -> Figure:
    doses = _plot_rows.doses(list(rows["corruption"].unique()))
    if not doses:
        raise VitpatchError(
            'plot_dose: the sweep has one strength of each corruption (sweep(corruption="noise:1,2,4"))'
        )
    directions = list(rows["direction"].unique())
    if len(directions) > 1:
        raise VitpatchError(f"the sweep has several values of direction: {', '.join(directions)}; choose one")
    names, place = _plot_rows.names(rows, metric), ["site", "layer", "head", "token", "window"]
    rows = rows.assign(_size=rows[names["mean"]].abs())
    with _style.figure(0.8 + 4.4 * len(doses), 3.2) as figure:
        axes = figure.subplots(1, len(doses), squeeze=False, sharey=True)[0]
        for ax, (what, strengths) in zip(axes, doses.items(), strict=True):
            of_kind = rows[rows["corruption"].isin(list(strengths))]
            sizes = [(part["_size"].max(), part) for _, part in _plot_rows.split(of_kind, place)]
            best: dict[tuple[str, str], tuple[float, pd.DataFrame]] = {}
            for size, part in sizes:
                family = (str(part["site"].iloc[0]), str(part["window"].iloc[0]))
                if family not in best or size > best[family][0]:
                    best[family] = (size, part)
            strongest = sorted(best.values(), key=lambda item: -item[0])[:6]
            for colour, (_, part) in enumerate(strongest):
                at = np.array([strengths[spec] for spec in part["corruption"]])
                order = np.argsort(at)
                text = _captions.place(part.iloc[0])
                _line(ax, part.iloc[order], names, _style.SERIES[colour], None, at[order], text)
            if metric == "p":
                first = of_kind.drop_duplicates("corruption")
                points = sorted(
                    (strengths[str(spec)], _plot_rows.total(part))
                    for spec, part in first.groupby("corruption", sort=False)
                )
                ax.plot(*zip(*points, strict=True), color=_style.SOFT, linestyle=(0, (4, 3)), label="total effect")
            ax.set_xlabel(str(what))
            ax.set_title(f"strongest patches by {what}")
            ax.legend()
        axes[0].set_ylabel(f"mean {_captions.symbol(metric)}")
        figure.suptitle(f"Dose and response: {directions[0]}", x=0.01, ha="left", fontsize=11)
    return figure


# Panels


def _line(
    ax: Axes, part: pd.DataFrame, names: dict[str, str], colour: str, labels: list[str] | None, x: Any = None,
    text: str | None = None,
) -> None:  # fmt: skip
    """Means with intervals: a line with a band if the axis is numeric, else points with error bars."""
    x = np.arange(len(part)) if x is None else x
    mean, low, high = (part[names[key]].to_numpy(float) for key in ("mean", "low", "high"))
    solid = part["p_adjusted"].to_numpy(float) < 0.05
    if labels is None or (len(labels) > 1 and all(label.isdigit() for label in labels)):
        ax.plot(x, mean, color=colour, label=text)
        ax.fill_between(x, low, high, color=colour, alpha=0.17, linewidth=0)
    else:
        ax.errorbar(x, mean, [mean - low, high - mean], color=colour, fmt="none", linewidth=1.3)
    ax.scatter(x, mean, 18, color=np.where(solid, colour, "white"), edgecolors=colour, linewidths=1.3, zorder=3)
    ax.axhline(0, color=_style.SOFT, linewidth=0.9)
    if labels is not None:
        step = max(1, math.ceil(len(labels) / 14))
        ax.set_xticks(x[::step], labels[::step])


def _matrix(ax: Axes, part: pd.DataFrame, y: str, x: str, names: dict[str, str], limit: float) -> None:
    """A heat map of means; dots mark significant ones."""
    rows, columns = _plot_rows.labels(part[y].drop_duplicates()), _plot_rows.labels(part[x].drop_duplicates())
    row, column = {v: i for i, v in enumerate(rows)}, {v: i for i, v in enumerate(columns)}
    values = np.full((len(rows), len(columns)), np.nan)
    at = [(row[a], column[b]) for a, b in zip(_plot_rows.labels(part[y]), _plot_rows.labels(part[x]), strict=True)]
    for (i, j), value, p in zip(at, part[names["mean"]], part["p_adjusted"], strict=True):
        values[i, j] = value
        if p < 0.05:
            ax.plot(j, i, ".", color=_style.INK, markersize=5, markeredgecolor="white", markeredgewidth=0.6)
    ax.imshow(np.ma.masked_invalid(values), cmap=_style.signed(), vmin=-limit, vmax=limit, aspect="auto")
    ax.grid(False)
    step = max(1, math.ceil(len(columns) / 32))
    ax.set_xticks(range(0, len(columns), step), columns[::step])
    ax.set_yticks(range(len(rows)), [name or "all" for name in rows])
    ax.set_xlabel(x)
    ax.set_ylabel(y)


def _patches(ax: Axes, cells: pd.DataFrame, mean: str, side: int, limit: float, picture: Any) -> None:
    """Image patches at their positions; over a picture, patches with weaker effects are more transparent."""
    patches = cells[cells["token"] != 0]
    values = np.full((side, side), np.nan)
    values.flat[patches["token"].to_numpy(int) - 1] = patches[mean].to_numpy(float)
    extent = (0, side, side, 0)
    alpha = None
    if picture is not None:
        from ._inputs import _picture

        ax.imshow(np.asarray(_picture(picture, 0).convert("RGB")), extent=extent, aspect="equal")
        alpha = 0.85 * np.clip(np.abs(np.nan_to_num(values)) / limit, 0, 1)
    ax.imshow(values, cmap=_style.signed(), vmin=-limit, vmax=limit, extent=extent, alpha=alpha, aspect="equal")
    ax.grid(False)
    ax.set_xticks([])
    ax.set_yticks([])


def _scale(figure: Figure, axes: Iterable[Axes], limit: float, label: str) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scale = ScalarMappable(Normalize(-limit, limit), _style.signed())
    bar = figure.colorbar(scale, ax=list(axes), fraction=0.05, pad=0.02)
    bar.set_label(label)
    bar.outline.set_visible(False)
