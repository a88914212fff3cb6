"""Checks of figures/pairs-*.csv and figures/shapley-*.csv: effects of several places patched together."""

import re
from pathlib import Path

from recomputing.checking import check
from recomputing.sweep import Sweep, read_csv, short


def check_sets(sweep: Sweep, folder: Path) -> None:
    """Checks pairs, and that Shapley values add up, for a sweep with one corruption"""
    parts: dict[frozenset, int] = {}
    for i in sweep.own():
        parts[frozenset([short(sweep.patches[i][:6])])] = i

    def name(text: str) -> str:
        match = re.fullmatch(r"(\S+) layer (\d+)(?: head (\d+))?", text)
        return f"{match[1]} L{match[2]}" + (f"H{match[3]}" if match[3] else "") if match else text

    for i in sweep.own("2"):
        parts[frozenset((sweep.patches[i][0], *(name(part) for part in sweep.patches[i][1].split(", "))))] = i
    for path in sorted(folder.glob("figures/pairs-*.csv")):
        direction = "noise" if "noise" in path.stem else "restore"
        for row in read_csv(path.read_text()):
            together = sweep.effects("p", parts[frozenset((direction, row["a"], row["b"]))])
            both = [
                sweep.effects("p", i)
                for i in sweep.own()
                if sweep.patches[i][0] == direction and short(sweep.patches[i][:6]) in (row["a"], row["b"])
            ]
            what = f"{path.name} {row['a']}, {row['b']}"
            check(what, float(row["effect_p"]), together.mean(), kind="pairs and Shapley values")
            check(what, float(row["sum_of_two"]), sum(both).mean(), kind="pairs and Shapley values")
            check(what, float(row["interaction_p"]), (together - sum(both)).mean(), kind="pairs and Shapley values")
    for path in sorted(folder.glob("figures/shapley-*.csv")):
        direction = "noise" if "noise" in path.stem else "restore"
        rows = read_csv(path.read_text())
        all_of_them = parts[frozenset((direction, *(row["place"] for row in rows)))]
        check(
            path.name, sum(float(row["shapley_p"]) for row in rows), sweep.effects("p", all_of_them).mean(),
            kind="pairs and Shapley values",
        )  # fmt: skip
