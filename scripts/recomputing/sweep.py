"""A sweep as its export has it: rows, places and their names, arrays by image and patch."""

import csv
import io
import re

import numpy as np

METRICS = {"": "p", "log_odds_": "log_odds", "logit_diff_": "logit_diff", "kl_": "kl"}
PLACE = ["direction", "site", "layer", "head", "token", "window"]


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
