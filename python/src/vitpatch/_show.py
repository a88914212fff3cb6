"""A sweep's summary as notebooks display it."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from ._results import Results

_ROWS = 12


def page(results: Results) -> str:
    """What was swept, and the strongest patches for every corruption."""
    summary, manifest = results.summary(), results.manifest
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
        out.append(_effects(measured(rows)))
        for name in manifest.get("estimates", []):
            out.append(_estimates(rows, name))
    return "".join(out)


def _effects(rows: pd.DataFrame) -> str:
    """The strongest patches; empty if none was measured."""
    if rows.empty:
        return ""
    strongest = rows.loc[rows["mean_effect"].abs().sort_values(ascending=False, kind="stable").index[:_ROWS]]
    table = _places(strongest)
    table["mean Δp"] = strongest["mean_effect"].map("{:+.3f}".format)
    table["95% interval"] = [
        f"[{low:+.3f}, {high:+.3f}]" for low, high in zip(strongest["ci_low"], strongest["ci_high"], strict=True)
    ]
    table["recovered"] = strongest["recovered"].map("{:.1%}".format)
    table["accuracy"] = strongest["accuracy_patched"].map("{:.1%}".format)
    table["p (adjusted)"] = strongest["p_adjusted"].map("{:.2g}".format)
    more = f"<p>the {len(table)} strongest of {len(rows)} patches</p>" if len(rows) > len(table) else ""
    return str(table.to_html(index=False, border=0)) + more


def _estimates(rows: pd.DataFrame, name: str) -> str:
    """The largest estimates; they are not measured effects."""
    largest = rows.loc[rows[f"{name}_mean"].abs().sort_values(ascending=False, kind="stable").index[:_ROWS]]
    table = _places(largest)
    table[f"mean {name}"] = largest[f"{name}_mean"].map("{:+.3f}".format)
    title = f"<p>estimates, not measured: {_text(name)}, the {len(table)} largest of {len(rows)} patches</p>"
    return title + str(table.to_html(index=False, border=0))


def _places(rows: pd.DataFrame) -> pd.DataFrame:
    table = rows[["direction", "site", "layer", "head", "token", "window"]].astype("object")
    found: pd.DataFrame = table.where(table.notna(), "").loc[:, lambda t: (t != "").any()]
    return found


def measured(summary: pd.DataFrame) -> pd.DataFrame:
    """The summary's rows with exact passes, with p-values corrected for multiple patches in `p_adjusted` (older
    programs: `p_holm`)."""
    renamed: pd.DataFrame = summary.rename(columns={"p_holm": "p_adjusted"})
    return renamed[renamed["n_exact"] > 0] if "n_exact" in renamed else renamed


def _text(value: object) -> str:
    return html.escape(str(value))
