"""Checks of what `summary` says: its table, its list and its groups by class."""

import math
import re

import numpy as np

from recomputing.checking import check, problems, unit
from recomputing.resampling import Resamples, p_tolerance, westfall_young
from recomputing.sweep import METRICS, PLACE, Sweep, short


def check_summary(sweep: Sweep, rows: list[dict[str, str]], rng: np.random.Generator) -> dict[tuple, dict[str, float]]:
    """Checks one corruption's rows of `summary --format csv`; returns the recomputed numbers by patch"""
    resamples = Resamples(sweep.images, rng)
    by_place = {tuple(row[name] for name in PLACE): row for row in rows}
    own = sweep.own()
    assert len(rows) == len(own), f"{len(rows)} rows of {len(own)} patches"
    known: dict[tuple, dict[str, float]] = {}
    total = resamples.mean(sweep.totals("p"))
    for patch in own:
        place = sweep.patches[patch][:6]
        row, name = by_place[place], " ".join(place)
        sign = -1.0 if place[0] == "noise" else 1.0
        values: dict[str, float] = {}
        for prefix, metric in METRICS.items():
            effects, totals = sweep.effects(metric, patch), sign * sweep.totals(metric)
            low, high, tolerance = resamples.mean(effects)
            found = {
                "mean_effect": effects.mean(), "median": np.median(effects), "share_positive": (effects > 0).mean(),
                "recovered": effects.mean() / totals.mean() if sweep.exchanges and totals.mean() != 0 else math.nan,
            }  # fmt: skip
            for key, value in found.items():
                if key == "recovered" and totals.mean() == 0:
                    continue
                check(f"{name} {prefix}{key}", float(row[prefix + key]), float(value))
                values[prefix + key] = float(value)
            for key, value in (("ci_low", low), ("ci_high", high)):
                shown = float(row[prefix + key])
                check(f"{name} {prefix}{key}", shown, value, tolerance, "interval limits")
                values[prefix + key] = shown
            shown = [float(row[f"{prefix}recovered_ci_{side}"]) for side in ("low", "high")]
            if not math.isnan(shown[0]):
                *limits, tolerance = resamples.share(effects, totals)
                for side, a, b in zip(("low", "high"), shown, limits, strict=True):
                    check(f"{name} {prefix}recovered {side}", a, b, tolerance, "interval limits")
            values[prefix + "recovered_ci_low"], values[prefix + "recovered_ci_high"] = shown
        effects = sweep.effects("p", patch)
        if effects.any():
            check(f"{name} carriers", float(row["carriers"]), np.abs(effects).sum() ** 2 / (effects**2).sum())
        values["accuracy"] = float(sweep.right[:, patch].mean())
        check(f"{name} accuracy", float(row["accuracy_patched"]), values["accuracy"])
        for side in ("clean", "corrupted"):
            check(f"{name} accuracy {side}", float(row[f"accuracy_{side}"]), sweep.accuracy[side])
        check(f"{name} total", float(row["total_effect"]), sweep.totals("p").mean())
        check(f"{name} total low", float(row["total_ci_low"]), total.low, total.tolerance, "interval limits")
        check(f"{name} total high", float(row["total_ci_high"]), total.high, total.tolerance, "interval limits")
        values |= {"p_value": float(row["p_value"]), "p_adjusted": float(row["p_adjusted"])}
        known[place] = values
    for direction in dict.fromkeys(sweep.patches[i][0] for i in own):
        tested = [
            i for i in own if sweep.patches[i][0] == direction and not by_place[sweep.patches[i][:6]]["by_construction"]
        ]
        if not tested:
            continue
        alone, adjusted = westfall_young(np.stack([sweep.effects("p", i) for i in tested], axis=1), rng)
        for patch, a, b in zip(tested, alone, adjusted, strict=True):
            row, name = by_place[sweep.patches[patch][:6]], " ".join(sweep.patches[patch][:6])
            check(f"{name} p_value", float(row["p_value"]), a, p_tolerance(a), "p-values")
            check(f"{name} p_adjusted", float(row["p_adjusted"]), b, p_tolerance(b), "p-values")
    check_controls(sweep, by_place)
    return known


def check_controls(sweep: Sweep, by_place: dict[tuple, dict[str, str]]) -> None:
    """Checks patches against random places of their extent"""
    for patch in sweep.own():
        row = by_place[sweep.patches[patch][:6]]
        if not row["control_places"]:
            continue
        direction, extent = sweep.patches[patch][0], sweep.patches[patch][7]
        same = [i for i, other in enumerate(sweep.patches) if (other[0], other[7]) == (direction, extent)]
        drawn = [i for i in same if sweep.patches[i][6] == "1"]
        own = [i for i in same if sweep.patches[i][6] == "0"]
        others = drawn or [i for i in own if i != patch]
        sign = -1 if direction == "noise" else 1
        means = np.sort([sign * sweep.effects("p", i).mean() for i in others])
        mine, name = sign * sweep.effects("p", patch).mean(), " ".join(sweep.patches[patch][:6])
        beyond = int((means >= mine).sum())
        check(f"{name} control_places", float(row["control_places"]), len(others))
        check(f"{name} control_mean", float(row["control_mean"]), sign * means.mean())
        difference = sweep.effects("p", patch).mean() - sign * means.mean()
        check(f"{name} control_difference", float(row["control_difference"]), difference)
        check(f"{name} control_p_value", float(row["control_p_value"]), (1 + beyond) / (1 + len(others)))
        if len(others) >= 19:
            rank = math.ceil(0.95 * (len(others) + 1) - 1e-9)
            check(f"{name} control_p95", float(row["control_p95"]), sign * means[rank - 1])
        if drawn:
            # The chance that one of the best beyond + 1 places is one of the sweep's own
            none = math.prod((len(drawn) - k) / (len(drawn) + len(own) - k) for k in range(beyond + 1))
            wanted = 1.0 if beyond >= len(drawn) else 1 - none
            check(f"{name} control_p_maximum", float(row["control_p_maximum"]), wanted)


def check_list(text: str, known: dict[tuple, dict[str, float]]) -> None:
    """Checks `summary --sort place`: one line per place, by direction"""
    lines = re.findall(
        r"^  (\S.*?)  +([+-]?\d+\.\d+) (?:\[ *([+-]?[\d.]+), +([+-]?[\d.]+)\])?.* ([\d.]+)% positive", text, re.M
    )
    places = [place for place in known if not math.isnan(known[place]["mean_effect"])]
    check("lines of the list", len(lines), len(places), kind="terminal's numbers")
    for place, (name, mean, low, high, positive) in zip(places, lines, strict=False):
        if name.strip() != short(place):
            problems.append(f"the list has {name} where {short(place)} is expected")
        check(f"list {name}", float(mean), known[place]["mean_effect"], unit(mean), "terminal's numbers")
        check(f"list {name}", float(positive), 100 * known[place]["share_positive"], 0.0501, "terminal's numbers")
        for shown, key in ((low, "ci_low"), (high, "ci_high")):
            if shown:
                check(f"list {name}", float(shown), known[place][key], unit(shown), "terminal's numbers")


def check_classes(sweep: Sweep, rows: list[dict[str, str]], names: list[str]) -> None:
    """Checks `summary --by class --format csv`"""
    labels = np.array(sweep.labels)
    index = {patch[:6]: i for i, patch in enumerate(sweep.patches) if patch[6] == "0"}
    for row in rows:
        own = labels == str(names.index(row["value"]))
        place = tuple(row[name] for name in PLACE)
        values = sweep.totals("p") if row["site"] == "total" else sweep.effects("p", index[place])
        check(f"class {row['value']} n", float(row["n"]), int(own.sum()), kind="groups")
        check(f"class {row['value']} {place}", float(row["mean_effect"]), values[own].mean(), kind="groups")
        if not own.all():
            difference = values[own].mean() - values[~own].mean()
            check(f"class {row['value']} {place}", float(row["difference"]), difference, kind="groups")
