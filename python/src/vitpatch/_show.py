"""A sweep's summary as a notebook shows it."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from ._results import Results

_ROWS = 12


def page(results: Results) -> str:
    """What was swept, and under every corruption the strongest patches."""
    summary, manifest = adjusted(results.summary()), results.manifest
    out = [f"<p><b>vitpatch sweep</b> {_text(manifest['model'])} on {_text(manifest['data'])}: {_text(results.folder)}"]
    if "ended" not in manifest:
        out.append(" (not finished)")
    out.append("</p>")
    for corruption, rows in summary.groupby("corruption", sort=False):
        first = rows.iloc[0]
        out.append(
            f"<p>corruption <b>{_text(corruption)}</b>, {int(first['n'])} images; "
            f"accuracy clean {first['accuracy_clean']:.1%}, corrupted {first['accuracy_corrupted']:.1%}; "
            f"total effect on p {first['total_effect']:+.3f} "
            f"[{first['total_ci_low']:+.3f}, {first['total_ci_high']:+.3f}]</p>"
        )
        strongest = rows.loc[rows["mean_effect"].abs().sort_values(ascending=False, kind="stable").index[:_ROWS]]
        table = strongest[["direction", "site", "layer", "head", "token", "window"]].astype("object")
        table = table.where(table.notna(), "").loc[:, lambda t: (t != "").any()]
        table["mean Δp"] = strongest["mean_effect"].map("{:+.3f}".format)
        table["95% interval"] = [
            f"[{low:+.3f}, {high:+.3f}]" for low, high in zip(strongest["ci_low"], strongest["ci_high"], strict=True)
        ]
        table["recovered"] = strongest["recovered"].map("{:.1%}".format)
        table["accuracy"] = strongest["accuracy_patched"].map("{:.1%}".format)
        table["p (adjusted)"] = strongest["p_adjusted"].map("{:.2g}".format)
        out.append(table.to_html(index=False, border=0))
        if len(rows) > len(table):
            out.append(f"<p>the {len(table)} strongest of {len(rows)} patches</p>")
    return "".join(out)


def adjusted(summary: pd.DataFrame) -> pd.DataFrame:
    """The summary with its p-values corrected for many patches as `p_adjusted`; older programs call them
    `p_holm`."""
    renamed: pd.DataFrame = summary.rename(columns={"p_holm": "p_adjusted"})
    return renamed


def _text(value: object) -> str:
    return html.escape(str(value))
