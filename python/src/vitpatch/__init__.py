"""vitpatch from Python: activation patching in Vision Transformers.

The engine is the program `vitpatch`, which this package carries; the functions here run it and read what it wrote.

    import vitpatch
    results = vitpatch.sweep(site="z", corruption="grayscale")      # the built-in model and images
    results.effects()                                               # pandas, one row an image and patch
    results.plot_heads()                                            # a matplotlib figure

pandas, matplotlib, polars, xarray and tqdm are imported where they are used, and not needed otherwise.
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
