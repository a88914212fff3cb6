"""The style of the figures: the colours of `vitpatch report`'s light theme, and its scale for signed values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ._errors import missing

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

INK, SOFT, RULE, NONE = "#1c1d1f", "#5d6166", "#d9dadc", "#e9e9e9"
#: Okabe and Ito's colours, darkened where text-sized marks need it
SERIES = ["#0072b2", "#d55e00", "#00845f", "#a8518a", "#8a6d00", "#3a8fc4"]
_SIGNED = ["#8f3d00", "#f0a350", "#f6f6f4", "#69a8d8", "#0a3f86"]

_PARAMETERS: Any = {
    "figure.dpi": 100,
    "font.size": 9, "axes.titlesize": 9.5, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.labelsize": 9, "axes.labelcolor": SOFT, "text.color": INK, "axes.edgecolor": RULE, "xtick.color": SOFT,
    "ytick.color": SOFT, "xtick.labelsize": 8.5, "ytick.labelsize": 8.5, "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": True, "axes.axisbelow": True, "grid.color": RULE, "grid.linewidth": 0.6,
    "lines.linewidth": 1.7, "figure.facecolor": "white", "axes.facecolor": "white", "legend.frameon": False,
    "legend.fontsize": 8.5,
}  # fmt: skip


@contextmanager
def figure(width: float, height: float) -> Iterator[Figure]:
    """A figure of the given size in inches. A notebook shows it once, because it is not among pyplot's open figures."""
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise missing("matplotlib", "a figure") from None
    with plt.rc_context(_PARAMETERS):
        made = plt.figure(figsize=(width, height), layout="constrained")
        try:
            yield made
        finally:
            plt.close(made)


def signed() -> Colormap:
    """Orange below 0, blue above, evenly spaced in Oklab (Ottosson 2020)."""
    import numpy as np
    from matplotlib.colors import ListedColormap

    stops = np.array([_oklab(colour) for colour in _SIGNED])
    at = np.linspace(0, len(stops) - 1, 129)
    mixed = np.stack([np.interp(at, range(len(stops)), stops[:, axis]) for axis in range(3)], axis=1)
    return ListedColormap([_rgb(colour) for colour in mixed], "vitpatch").with_extremes(bad=NONE)


# From the cube roots of cone responses to Oklab; from linear RGB to cone responses
_LAB = [
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
]
_CONES = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
]


def _oklab(colour: str) -> Any:
    import numpy as np

    rgb = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return np.array(_LAB) @ np.cbrt(np.array(_CONES) @ linear)


def _rgb(lab: Any) -> Any:
    import numpy as np

    linear = np.linalg.solve(np.array(_CONES), np.linalg.solve(np.array(_LAB), lab) ** 3).clip(0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
