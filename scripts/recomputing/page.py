"""Checks of what report.html says: its tables and its sentences."""

import html.parser
import math
import re

from recomputing.checking import check, number, problems, unit
from recomputing.sweep import PLACE, Sweep, short


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
