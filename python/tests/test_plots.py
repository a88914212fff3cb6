"""Figures: their contents, and the report's colours."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure
from PIL import Image

from vitpatch import Results, VitpatchError, _style


def titles(figure: Figure) -> list[str]:
    return [title for ax in figure.axes if ax.get_visible() and (title := ax.get_title(loc="left"))]


def test_layers(swept: Results) -> None:
    figure = swept.plot_layers(direction="restore", corruption="grayscale")
    assert titles(figure) == ["attn_out, single layers", "attn_out, windows of 3"]
    summary = swept.summary()
    rows = summary[(summary.site == "attn_out") & (summary.window == 1) & (summary.direction == "restore")]
    line: Any = figure.axes[0].lines[0]
    np.testing.assert_array_equal(line.get_ydata(), rows.mean_effect)
    assert line.get_color() == "#0072b2"
    assert figure.axes[0].get_ylabel() == "mean Δp"
    assert swept.plot_layers(direction="noise", metric="kl").axes[0].get_ylabel() == "mean Δ KL (nats)"


def test_heads(swept: Results) -> None:
    figure = swept.plot_heads(direction="restore")
    summary = swept.summary()
    rows = summary[summary["head"].notna() & (summary.direction == "restore") & (summary.window == 1)]
    image: Any = figure.axes[0].images[0]
    np.testing.assert_array_equal(image.get_array(), rows.pivot(index="layer", columns="head", values="mean_effect"))
    heads = summary[summary["head"].notna() & (summary.direction == "restore")]
    assert image.norm.vmax == -image.norm.vmin == heads.mean_effect.abs().max()


def test_tokens(tokens: Results) -> None:
    figure = tokens.plot_tokens()
    assert [title.split("\n")[0] for title in titles(figure)] == ["layer 1", "layer 2"]
    rows = tokens.summary()
    values = rows[(rows.layer == 2) & (rows.token != 0)].mean_effect.to_numpy().reshape(8, 8)
    image: Any = figure.axes[1].images[0]
    np.testing.assert_array_equal(image.get_array(), values)


def test_tokens_of_one_image_over_its_picture(tokens: Results, tmp_path: Path) -> None:
    one = tokens.images().image[3]
    picture = np.full((32, 32, 3), 200, np.uint8)
    figure = tokens.plot_tokens(image=one, picture=picture)
    effects = tokens.effects({"image": one, "layer": 1})
    below, above = figure.axes[0].images
    assert np.asarray(below.get_array()).shape == (32, 32, 3)
    np.testing.assert_allclose(np.asarray(above.get_array()).ravel(), effects.p_effect[effects.token != 0])
    Image.fromarray(picture).save(tmp_path / "x.png")
    assert len(tokens.plot_tokens(picture=tmp_path / "x.png").axes[0].images) == 2
    with pytest.raises(VitpatchError, match="image 'none': the sweep has no effects of it"):
        tokens.plot_tokens(image="none")


def test_dose(doses: Results) -> None:
    figure = doses.plot_dose()
    ax = figure.axes[0]
    total: Any = next(line for line in ax.lines if line.get_label() == "total effect")
    summary = doses.summary()
    assert list(total.get_xdata()) == [0.5, 1, 2]
    np.testing.assert_array_equal(total.get_ydata(), summary.drop_duplicates("corruption").total_effect)


def test_plot_chooses(swept: Results, tokens: Results, doses: Results) -> None:
    assert "layer and head" in suptitle(swept.plot(direction="restore"))
    assert "image patch" in suptitle(tokens.plot())
    assert "Dose" in suptitle(doses.plot())
    assert "by layer" in suptitle(doses.plot("layers", corruption="noise:1"))
    with pytest.raises(VitpatchError, match="plot: 'pie' is unknown; valid are layers, heads, tokens, dose"):
        doses.plot("pie")  # type: ignore[arg-type]


def suptitle(figure: Figure) -> str:
    title: Any = figure.get_suptitle()
    return str(title)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "the sweep has several values of direction: restore, noise; choose one"),
        ({"direction": "up"}, "direction 'up': the sweep has restore, noise"),
        ({"direction": "noise", "metric": "x"}, "metric 'x' is unknown; the summary has p, logit_diff"),
    ],
)
def test_wrong_choices(swept: Results, options: dict[str, str], sentence: str) -> None:
    with pytest.raises(VitpatchError, match=sentence):
        swept.plot_layers(**options)


def test_sweeps_without_such_patches(doses: Results, swept: Results) -> None:
    with pytest.raises(VitpatchError, match="no patches of single heads"):
        doses.plot_heads(corruption="noise:1")
    with pytest.raises(VitpatchError, match="no patches of single tokens"):
        doses.plot_tokens(corruption="noise:1")
    with pytest.raises(VitpatchError, match="one strength of each corruption"):
        swept.plot_dose(direction="noise")


def test_a_notebook_shows_a_figure_once(swept: Results) -> None:
    """The figure is not among pyplot's open figures, which notebooks show at the end of a cell; and it can be saved."""
    before = pyplot.rcParams["axes.grid"]
    figure = swept.plot_heads(direction="restore")
    assert pyplot.get_fignums() == [] and pyplot.rcParams["axes.grid"] == before
    file = io.BytesIO()
    figure.savefig(file, format="svg")
    assert b"<svg" in file.getvalue()


def test_colours_are_the_reports() -> None:
    """Ends, middle and one step between, as mixed by FigureStyle.swift."""
    from matplotlib.colors import to_hex

    colours = [to_hex(colour) for colour in _style.signed()(np.array([0.0, 0.25, 0.5, 0.75, 1.0]))]
    assert colours == ["#8f3d00", "#f0a350", "#f6f6f4", "#69a8d8", "#0a3f86"]
