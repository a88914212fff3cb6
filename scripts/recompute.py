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
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from recomputing.checking import compared, problems
from recomputing.page import Tables, check_page, check_sentences
from recomputing.sets import check_sets
from recomputing.summary import check_classes, check_list, check_summary
from recomputing.sweep import Sweep, read_csv


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
