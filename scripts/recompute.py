#!/usr/bin/env python3
"""Recomputes the numbers in summary and report from the export alone, with numpy and none of the program's code.

usage: recompute.py [--vitpatch PROGRAM] [DIR ...]

For every results folder (without one: for several kinds of sweep of the demo, in a temporary folder) it compares

- `summary --format csv`: means, medians, shares, accuracies, totals, carriers and random places exactly; BCa intervals
  and p-values of shared sign flips (Westfall and Young) with its own random numbers, within Monte-Carlo error;
- `summary --by class` likewise, and the lists and headings that `summary` prints;
- the tables, sentences and cards of report.html, and figures/*.csv: to the digits shown.

Exits with 1 and names the differences, if there are any.
"""

import argparse
import csv
import html.parser
import io
import math
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

METRICS = {"": "p", "log_odds_": "log_odds", "logit_diff_": "logit_diff", "kl_": "kl"}
DRAWS = 20_000
PLACE = ["direction", "site", "layer", "head", "token", "window"]
normal = NormalDist()
problems: list[str] = []
compared: dict[str, int] = defaultdict(int)


def check(what: str, found: float, wanted: float, tolerance: float = 0.0, kind: str = "numbers") -> None:
    """`tolerance` is absolute; 1e-9 of the value is added for another order of summation."""
    compared[kind] += 1
    if math.isnan(found) and math.isnan(wanted):
        return
    if not abs(found - wanted) <= tolerance + 1e-9 * max(1.0, abs(wanted)):
        problems.append(f"{what}: shown {found}, recomputed {wanted} (tolerance {tolerance:.3g})")


def number(text: str) -> float:
    """Parses `+0.123`, `62.0%`, `≤ 0.0001`; nan if there is no number"""
    match = re.match(r"^[<≤]?\s*([+-]?[\d.]+(?:e[+-]?\d+)?)(%?)", text.replace("−", "-").strip())
    return float(match[1]) / (100 if match[2] else 1) if match else math.nan


def unit(text: str) -> float:
    """Half of the last digit shown"""
    match = re.search(r"[\d.]+", text)
    digits = len(match[0].partition(".")[2]) if match else 0
    return 0.5 * 10.0**-digits / (100 if "%" in text else 1) * 1.001


def student_975(freedom: float) -> float:
    """The 97.5% quantile of Student's t, by bisection on the integral of the density"""
    log_scale = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - 0.5 * math.log(freedom * math.pi)

    def below(t: float) -> float:
        x = np.linspace(0, t, 4001)
        density = np.exp(log_scale - (freedom + 1) / 2 * np.log1p(x * x / freedom))
        return 0.5 + float(((density[1:] + density[:-1]) / 2).sum() * (x[1] - x[0]))

    low, high = 0.0, 50.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) < 0.975 else (low, middle)
    return low


class Interval(NamedTuple):
    low: float
    high: float
    tolerance: float


class Resamples:
    """How often every image is drawn in every resample"""

    def __init__(self, images: int, rng: np.random.Generator) -> None:
        self.n = images
        self.counts = rng.multinomial(images, np.full(images, 1 / images), size=DRAWS).astype(float)
        self.widening = student_975(images - 1) * math.sqrt(images / (images - 1)) if images > 1 else math.nan

    def bca(self, influence: np.ndarray, estimate: float, resampled: np.ndarray) -> Interval:
        """The interval from all resamples; its tolerance covers the scatter of 4000 resamples, the program's number"""
        parts = [self.limits(influence, estimate, part) for part in resampled.reshape(-1, 4000)]
        low, high = self.limits(influence, estimate, resampled)
        spread = max(max(part[side] for part in parts) - min(part[side] for part in parts) for side in (0, 1))
        # If few images carry an effect, the resamples' quantiles jump.
        carriers = np.abs(influence).sum() ** 2 / max((influence**2).sum(), 1e-300)
        return Interval(low, high, max((0.08 if carriers > 20 else 0.3) * (high - low), 2.5 * spread) + 1e-12)

    def limits(self, influence: np.ndarray, estimate: float, resampled: np.ndarray) -> tuple[float, float]:
        if self.n < 6:
            return math.nan, math.nan
        spread = float((influence**2).sum())
        if spread <= 1e-24 * max(estimate**2, 1e-300):
            return estimate, estimate
        a = float((influence**3).sum()) / (6 * spread**1.5)
        share = float((resampled < estimate).mean() + (resampled == estimate).mean() / 2)
        if not 0 < share < 1:
            return tuple(np.quantile(resampled, [0.025, 0.975]))
        z0 = normal.inv_cdf(share)
        z = [z0 + (z0 + side) / (1 - a * (z0 + side)) for side in (-self.widening, self.widening)]
        return tuple(np.quantile(resampled, [normal.cdf(value) for value in z]))

    def mean(self, values: np.ndarray) -> Interval:
        return self.bca(values - values.mean(), values.mean(), self.counts @ values / self.n)

    def share(self, effects: np.ndarray, totals: np.ndarray) -> Interval:
        share = effects.mean() / totals.mean()
        influence = (effects - share * totals) / totals.mean()
        return self.bca(influence, share, (self.counts @ effects) / (self.counts @ totals))


def westfall_young(effects: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """[images, patches] to p-values, single and step-down adjusted, from shared random signs"""
    n, patches = effects.shape
    norm = np.sqrt((effects**2).sum(0))
    scaled = np.divide(effects, norm, out=np.zeros_like(effects), where=norm > 0)
    observed = np.abs(scaled.sum(0))
    if 2 ** (n - 1) <= 10_000:
        signs, extra = np.array([[1 - 2 * (k >> i & 1) for i in range(n)] for k in range(2 ** (n - 1))], float), 0
    else:
        signs, extra = rng.choice([-1.0, 1.0], size=(DRAWS, n)), 1
    order = np.argsort(observed)
    drawn = np.abs(signs @ scaled)
    bar = observed * (1 - 1e-9)
    alone = ((drawn >= bar).sum(0) + extra) / (len(signs) + extra)
    largest = np.maximum.accumulate(drawn[:, order], axis=1)
    adjusted = np.empty(patches)
    adjusted[order] = ((largest >= bar[order]).sum(0) + extra) / (len(signs) + extra)
    # From the strongest patch on, p-values do not decrease.
    adjusted[order[::-1]] = np.maximum.accumulate(adjusted[order[::-1]])
    return alone, adjusted


def p_tolerance(p: float) -> float:
    return 5 * math.sqrt(max(p * (1 - p), 1e-4) * (1 / 10_000 + 1 / DRAWS)) + 1e-4


class Sweep:
    """The export's rows as arrays [images, patches]"""

    def __init__(self, rows: list[dict[str, str]]) -> None:
        self.patches = list(dict.fromkeys(tuple(row[name] for name in [*PLACE, "control", "extent"]) for row in rows))
        index = {patch: i for i, patch in enumerate(self.patches)}
        images = list(dict.fromkeys(row["image"] for row in rows))
        where = {image: i for i, image in enumerate(images)}
        shape = (len(images), len(self.patches))
        self.patched = {name: np.full(shape, np.nan) for name in METRICS.values()}
        self.right = np.zeros(shape)
        one = {}
        for row in rows:
            i, j = where[row["image"]], index[tuple(row[name] for name in [*PLACE, "control", "extent"])]
            for name in METRICS.values():
                self.patched[name][i, j] = np.float32(row[f"{name}_patched"])
            self.right[i, j] = row["pred_patched"] == row["label"]
            one[i] = row
        first = [one[i] for i in range(len(images))]
        self.images, self.labels = len(images), [row["label"] for row in first]
        zero = np.zeros(self.images)
        self.clean = {m: zero if m == "kl" else self.column(first, f"{m}_clean") for m in METRICS.values()}
        self.corrupted = {m: self.column(first, f"{m}_corrupted") for m in METRICS.values()}
        self.accuracy = {
            side: float(np.mean([row[f"pred_{side}"] == row["label"] for row in first]))
            for side in ("clean", "corrupted")
        }
        self.exchanges = first[0]["patch_with"] == "clean" and not first[0]["donor"]

    @staticmethod
    def column(rows: list[dict[str, str]], name: str) -> np.ndarray:
        return np.array([np.float32(row[name]) for row in rows], float)

    def effects(self, metric: str, patch: int) -> np.ndarray:
        base = self.clean if self.patches[patch][0] == "noise" else self.corrupted
        return self.patched[metric][:, patch] - base[metric]

    def totals(self, metric: str) -> np.ndarray:
        return self.clean[metric] - self.corrupted[metric]

    def own(self, control: str = "0") -> list[int]:
        return [i for i, patch in enumerate(self.patches) if patch[6] == control]


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


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


def short(place: tuple) -> str:
    """The program's name for a place: `z L0H2`, `attn_out L5, window 3`"""
    _, site, layer, head, token, window = place
    text = site + (f" L{layer}" if layer else "") + (("" if layer else " ") + f"H{head}" if head else "")
    if token:
        number = re.fullmatch(r"\d+", token)
        text += " " + (
            "CLS" if token in ("0", "cls") else token if token.isalpha() else f"token{'' if number else 's'} {token}"
        )
    return text + (f", window {window}" if window not in ("", "1") else "")


class Tables(html.parser.HTMLParser):
    """The figures' tables by figure, and the page's words"""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: list[tuple[str, list[list[str]]]] = []
        self.words: list[str] = []
        self.figure, self.cell, self.skip = "", None, 0
        self.feed(page)
        self.text = re.sub(r"\s+", " ", " ".join(self.words)).replace("−", "-")

    def handle_starttag(self, tag: str, attributes: list) -> None:
        if tag in ("style", "script", "svg"):
            self.skip += 1
        elif tag == "figure":
            self.figure = dict(attributes).get("id", "")
        elif tag == "table":
            self.tables.append((self.figure, []))
        elif tag == "tr" and self.tables:
            self.tables[-1][1].append([])
        elif tag in ("td", "th"):
            self.cell = ""

    def handle_endtag(self, tag: str) -> None:
        if tag in ("style", "script", "svg"):
            self.skip -= 1
        elif tag == "figure":
            self.figure = ""
        elif tag in ("td", "th") and self.tables and self.cell is not None:
            self.tables[-1][1][-1].append(self.cell)
            self.cell = None

    def handle_data(self, data: str) -> None:
        if self.skip:
            return
        if self.cell is not None:
            self.cell += data
        self.words.append(data)


COLUMNS = {
    "Δp": "mean_effect", "Δp 95% low": "ci_low", "Δp 95% high": "ci_high", "median": "median",
    "share positive": "share_positive", "recovered": "recovered", "recovered 95% low": "recovered_ci_low",
    "recovered 95% high": "recovered_ci_high", "p-value": "p_value", "p-value (adjusted)": "p_adjusted",
    "Δ log-odds": "log_odds_mean_effect", "Δ log-odds 95% low": "log_odds_ci_low",
    "Δ log-odds 95% high": "log_odds_ci_high", "Δ logit diff": "logit_diff_mean_effect",
    "Δ logit diff 95% low": "logit_diff_ci_low", "Δ logit diff 95% high": "logit_diff_ci_high",
    "ΔKL": "kl_mean_effect", "ΔKL 95% low": "kl_ci_low", "ΔKL 95% high": "kl_ci_high", "accuracy": "accuracy",
}  # fmt: skip


def check_page(page: Tables, known: dict[str, dict[tuple, dict[str, float]]]) -> None:
    """Tables of figures with one row per patch. Names of figures end in the corruption if there are several."""
    for figure, rows in page.tables:
        if not rows or not figure.startswith(("effect-by", "metrics", "strongest")):
            continue
        header = rows[0]
        for spec, places in known.items():
            if len(known) > 1 and not figure.endswith(re.sub(r"[^a-z0-9._]", "-", spec.lower())):
                continue
            for row in rows[1:]:
                cells = dict(zip(header, row, strict=True))
                values = places[tuple(cells.get(name, "") for name in PLACE)]
                for title, key in COLUMNS.items():
                    if cells.get(title, "").startswith("<"):
                        check(f"{figure} {title}", float(values[key] < number(cells[title])), 1, kind="page's cells")
                    elif title in cells:
                        check(
                            f"{figure} {title}", number(cells[title]), values[key], unit(cells[title]), "page's cells"
                        )


def check_sentences(page: Tables, sweep: Sweep, known: dict[tuple, dict[str, float]]) -> None:
    """Checks the headline of a page with one corruption"""
    text, n = page.text, r"([+-]?[\d.]+)"
    pattern = (
        rf"Over (\d+) images?, .*? takes the accuracy from {n}% to {n}% and the mean probability of the target "
        rf"from {n} to {n}: a total effect of {n}"
    )
    if match := re.search(pattern, text):
        check("sentence: images", float(match[1]), sweep.images, kind="sentences")
        check("sentence: accuracy", float(match[2]), 100 * sweep.accuracy["clean"], 0.0501, "sentences")
        check("sentence: accuracy", float(match[3]), 100 * sweep.accuracy["corrupted"], 0.0501, "sentences")
        check("sentence: p", float(match[4]), sweep.clean["p"].mean(), 0.000501, "sentences")
        check("sentence: p", float(match[5]), sweep.corrupted["p"].mean(), 0.000501, "sentences")
        check("sentence: total", float(match[6]), sweep.totals("p").mean(), 0.000501, "sentences")
    elif sweep.exchanges:
        problems.append("the page has no sentence on the total effect")
    directions = list(dict.fromkeys(place[0] for place in known))
    sentences = re.findall(rf"the strongest place is (.*?): {n} .*?positive on {n}% of the images", text)
    check("sentences on the strongest", len(sentences), len(directions), kind="sentences")
    for direction, (name, effect, positive) in zip(directions, sentences, strict=False):
        places = {k: v for k, v in known.items() if k[0] == direction and not math.isnan(v["p_value"])}
        best = max(places, key=lambda place: abs(places[place]["mean_effect"]))
        if short(best) != name:
            problems.append(f"the strongest place is {short(best)}, the page says {name}")
        check("sentence: strongest", float(effect), places[best]["mean_effect"], 0.000501, "sentences")
        check("sentence: positive", float(positive), 100 * places[best]["share_positive"], 0.0501, "sentences")


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


def recompute(program: str, folder: Path, seed: int) -> None:
    def run(*arguments: str) -> str:
        return subprocess.run([program, *arguments], check=True, capture_output=True, text=True).stdout

    rng = np.random.default_rng(seed)
    rows = read_csv(run("export", str(folder), "--format", "csv"))
    specs = list(dict.fromkeys(row["corruption"] for row in rows))
    sweeps = {spec: Sweep([row for row in rows if row["corruption"] == spec]) for spec in specs}
    summary = read_csv(run("summary", str(folder), "--format", "csv"))
    known = {
        spec: check_summary(sweep, [row for row in summary if row["corruption"] == spec], rng)
        for spec, sweep in sweeps.items()
    }
    run("report", str(folder), "--images", "0")
    page = Tables((folder / "report.html").read_text())
    check_page(page, known)
    classes = read_csv(run("summary", str(folder), "--by", "class", "--format", "csv"))
    names = sorted({row["value"] for row in classes})
    for spec, sweep in sweeps.items():
        if len(set(sweep.labels)) == len(names):  # every class has images, so names and labels have the same order
            check_classes(sweep, [row for row in classes if row["corruption"] == spec], names)
    if len(specs) == 1:
        check_sentences(page, sweeps[specs[0]], known[specs[0]])
        check_list(run("summary", str(folder), "--sort", "place"), known[specs[0]])
        check_sets(sweeps[specs[0]], folder)


DEMOS = {
    "heads in both directions": ["--site", "z", "--direction", "restore", "--direction", "noise"],
    "windows beside random places": ["--window", "1", "--window", "3", "--control", "20", "--limit", "60"],
    "tokens": ["--site", "resid_pre", "--tokens", "each", "--layers", "0,5", "--limit", "40"],
    "strengths": ["--corruption", "noise:0.5,2", "--site", "mlp_out", "--limit", "50"],
    "ablation": ["--ablate", "mean", "--corruption", "none", "--limit", "12"],
    "donor": ["--donor", "demo", "--corruption", "none", "--limit", "30"],
    "pairs and Shapley values": [
        "--site",
        "z",
        "--layers",
        "0-1",
        "--pairs",
        "top:5",
        "--shapley",
        "10",
        "--limit",
        "40",
    ],
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Recomputes what summary and report show, with none of the program's code."
    )
    parser.add_argument("--vitpatch", default="vitpatch", help="the program (default: the one in the PATH)")
    parser.add_argument("--seed", type=int, default=1, help="of this script's own random numbers (default: 1)")
    parser.add_argument("folders", nargs="*", metavar="DIR", help="results folders (default: sweeps of the demo)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folders = {folder: Path(folder) for folder in arguments.folders}
        if not folders:
            for i, (name, options) in enumerate(DEMOS.items()):
                folders[name] = Path(temporary, str(i))
                command = [arguments.vitpatch, "sweep", *options, "--out", str(folders[name])]
                subprocess.run(command, check=True, capture_output=True)
        for name, folder in folders.items():
            before = len(problems)
            recompute(arguments.vitpatch, folder, arguments.seed)
            print(f"{name}: {'all equal' if len(problems) == before else f'{len(problems) - before} differ'}")
    print(", ".join(f"{count} {kind}" for kind, count in compared.items()) + " compared")
    for problem in problems[:40]:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
