"""Runs of vitpatch."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


IMAGES = 8


@dataclass
class Sweep:
    """A run of `vitpatch sweep`: seconds of its passes (images read and results stored among them), seconds of the whole
    process, the most memory it had (bytes), and [2 + places][images] probabilities as peer_sweeps.Sweep's, or estimates
    as peer_estimates.Attribution's. With estimates, `forward`: seconds of a forward pass of as many images in the same
    turn."""

    seconds: float
    whole: float
    peak: int
    probabilities: list[list[float]]
    forward: float | None = None


class Vitpatch:
    def __init__(self, program: str, model: Path, data: Path, gpu: bool, precision: str = "fp32"):
        self.program, self.model, self.data, self.precision = program, str(model), str(data), precision
        self.version = self.text("--version").strip()
        devices = re.findall(r"^[* ] (\d+): (.*)\n +(\w+), (\d+) compute units.*\n +(.*)$", self.text("devices"), re.M)
        found = [device for device in devices if device[2] == ("GPU" if gpu else "CPU")]
        if not found:
            raise SystemExit(f"vitpatch devices lists no {'GPU' if gpu else 'CPU'}")
        self.index, self.device, _, units, self.driver = found[0]
        self.units = int(units)

    def text(self, *arguments: str) -> str:
        return subprocess.run([self.program, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout

    def bench(self, group: str, images: int, seconds: float, precision: str | None = None) -> dict:
        """The results of `vitpatch bench --json`"""
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            self.text(
                "bench", "--device", self.index, "--model", self.model, "--only", group, "--alone",
                "--images", str(images), "--seconds", str(seconds), "--precision", precision or self.precision,
                "--json", file.name)
            # The program puts another file in the place of this one.
            return json.loads(Path(file.name).read_text())

    def attribution(self, options: list[str], sites: list[str], images: int, seconds: float) -> Sweep:
        """A sweep of estimates alone"""
        own = self.sweep(
            ["--estimate", "atp", "--exact", "none", "--window", "1", *options, *(part for site in sites for part in ("--site", site))],
            sites)
        own.forward = self.bench("pass", images, seconds)["measurements"][0]["median"]
        return own

    def sweep(self, options: list[str], places: int | list[str]) -> Sweep:
        """`places`: how many there are; or the sites of estimates"""
        table, errors, whole, peak = self.table(options)
        read = estimates if isinstance(places, list) else probabilities
        return Sweep(passes_time(errors), whole, peak, read(table, places))

    def table(self, options: list[str]) -> tuple[csv.DictReader, str, float, int]:
        """A sweep's exported rows, what it said on standard error, its seconds and its peak memory in bytes"""
        out = tempfile.mkdtemp()
        try:
            start = time.perf_counter()
            process = subprocess.Popen(
                [self.program, "sweep", "--device", self.index, "--model", self.model, "--data", self.data,
                 "--corruption", "grayscale", "--precision", self.precision, "--out", out, *options],
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            errors = process.stderr.read()
            _, status, usage = os.wait4(process.pid, 0)
            whole = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                raise SystemExit(f"vitpatch sweep failed: {errors}")
            table = csv.DictReader(io.StringIO(self.text("export", out, "--format", "csv")))
            return table, errors, whole, usage.ru_maxrss * 1024
        finally:
            shutil.rmtree(out)


def passes_time(errors: str) -> float:
    """Seconds in `8 images, 112 passes in 9.87 s (...)`"""
    found = re.search(r"passes in (?:(\d+) h )?(?:(\d+) min ?)?(?:([\d.]+) s)?", errors)
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + seconds


def estimates(rows: Iterable[dict[str, str]], sites: list[str]) -> list[list[float]]:
    """An exported table of estimates, by place as peer_estimates.Attribution lists them: by site, layer, head or neuron,
    token."""
    images: dict[int, list[float]] = {}
    places: dict[tuple[int, ...], list[float]] = {}
    for row in rows:
        image, (site, neuron) = int(Path(row["image"]).stem), re.fullmatch(r"(\w+)(?:\[(\d+)\])?", row["site"]).groups()
        images[image] = [float(row["p_clean"]), float(row["p_corrupted"])]
        place = sites.index(site), *(int(text or 0) for text in (row["layer"], row["head"] or neuron, row["token"]))
        places.setdefault(place, [0.0] * IMAGES)[image] = float(row["atp_log_odds"])
    assert len(images) == IMAGES
    return [list(column) for column in zip(*(own for _, own in sorted(images.items())))] + [
        own for _, own in sorted(places.items())]


def probabilities(rows: Iterable[dict[str, str]], places: int) -> list[list[float]]:
    """An exported table, by place as rows.py lists them: by layer, then by head. Images by their file's number, those of
    the same number as in the table."""
    images: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        images.setdefault(row["image"], []).append(row)
    columns = []
    for own in sorted(images.values(), key=lambda own: int(Path(own[0]["image"]).stem)):
        assert len(own) == places
        own.sort(key=lambda row: (int(row["layer"]), int(row["head"] or 0)))
        columns.append([own[0]["p_clean"], own[0]["p_corrupted"]] + [row["p_patched"] for row in own])
    return [[float(value) for value in row] for row in zip(*columns)]
