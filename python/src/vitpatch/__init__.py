"""vitpatch from Python: activation patching in Vision Transformers.

The engine is the program `vitpatch`, which this package contains; these functions run it and read its results.

    import vitpatch
    results = vitpatch.sweep(site="z", corruption="grayscale")      # the built-in model and images
    results.effects()                                               # pandas, one row per image and patch
    results.plot_heads()                                            # a matplotlib figure

pandas, matplotlib, polars, xarray and tqdm are optional: each is imported only where it is used.
"""

from ._activations import Activations, save_activations
from ._binary import executable, version
from ._commands import activations, classify, compare, search, sweep, verify
from ._errors import VitpatchError, VitpatchWarning
from ._results import Results, load
from ._search import SearchResult

__version__ = version()
__all__ = [
    "Activations",
    "Results",
    "SearchResult",
    "VitpatchError",
    "VitpatchWarning",
    "activations",
    "classify",
    "compare",
    "executable",
    "load",
    "save_activations",
    "search",
    "sweep",
    "verify",
]
