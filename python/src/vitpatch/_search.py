"""The result of a greedy search."""

from __future__ import annotations

import html
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._errors import VitpatchError, missing

if TYPE_CHECKING:
    import pandas as pd


class SearchResult:
    """A folder written by `vitpatch search`.

    Attributes:
        folder: the folder of search.csv and search.json
        data: search.json: `set` (the places found), `stopped`, `total_effect`, `steps` and the settings
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        try:
            self.data: dict[str, Any] = json.loads((self.folder / "search.json").read_text())
        except OSError as error:
            raise VitpatchError(f"{self.folder / 'search.json'}: {error.strerror}") from error

    def steps(self) -> pd.DataFrame:
        """One row per added place: `step, site, layer, head, token`, and the share of the total effect that the set so
        far restores, on the images searched on and on the held-out ones, with 95% intervals."""
        try:
            import pandas as pd
        except ImportError:
            raise missing("pandas", "this table") from None
        return pd.read_csv(self.folder / "search.csv")

    def __repr__(self) -> str:
        steps = self.data["steps"]
        share = f", {100 * steps[-1]['searched']['share']:.1f}% of the total effect" if steps else ""
        return f"<vitpatch.SearchResult {self.folder}: {len(steps)} of {self.data['candidates']} places{share}>"

    def _repr_html_(self) -> str:
        try:
            columns = ["step", "site", "layer", "head", "token", "share", "held_out_share", "random_mean"]
            steps = self.steps()
            table = steps[[name for name in columns if name in steps]].to_html(
                index=False, float_format="{:.3f}".format, na_rep="", border=0
            )
        except VitpatchError:
            table = ""
        return f"<p>{html.escape(repr(self))}</p>{table}"
