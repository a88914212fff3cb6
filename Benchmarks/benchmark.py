"""vitpatch beside PyTorch, transformers with hooks and TransformerLens, on one machine in one run (see run.sh).

PyTorch's linear maps come in two ways: as installed, and with weights packed by oneDNN, which is the faster one on some
processors. Single passes are compared with both. Peers of a sweep get their fastest setting: each is tried once, the best
goes on. Then vitpatch and the peers take turns for
several rounds; a ratio is the peer's time by vitpatch's of the same round. All programs run on as many threads as the
OpenCL device has compute units, and compute in fp32. With --precision bf16x3 vitpatch computes in that; its peers stay in
fp32, and beside them stand peers in bf16 with the largest error that it makes. Probabilities must agree.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import machine
import report
from ours import IMAGES, Sweep, Vitpatch
from worker import Worker

HERE = Path(__file__).resolve().parent
LAYERS, HEADS, TOKENS = 12, 12, 197
# The most that a probability may differ from a peer's in fp32: what `vitpatch verify` asks of a device too. float32 takes
# some 1e-6 here.
TOLERANCE = {"fp32": 2e-5, "bf16x3": 5e-5}
# The most that an estimate may differ, relative to 1 + its size: sums of thousands of float32 products
ESTIMATE_TOLERANCE = 1e-3

WINDOWS = [(tuple(range(max(0, layer - 1), min(LAYERS, layer + 2))), None) for layer in range(LAYERS)]
SINGLE = [((layer,), None) for layer in range(LAYERS)]
EACH_HEAD = [((layer,), head) for layer in range(LAYERS) for head in range(HEADS)]
# Where every peer is measured in fp32 and in bf16, the heads of some layers: as deep on average as all
SOME_LAYERS = [1, 4, 7, 10]
SOME_HEADS = [((layer,), head) for layer in SOME_LAYERS for head in range(HEADS)]

# How many times the speed of peers in fp32, as installed, vitpatch is to have with a precision; of products by images
TARGETS = {
    "fp32": {
        "products": {IMAGES: 0.9}, "forward": 0.9, "original": 4, "cached": 2.1, "single layers": 1.8,
        "heads": 2.4, "heads cached": 2.4},
    "bf16x3": {
        "products": {IMAGES: 1.7, 64: 2.2}, "forward": 1.7, "original": 5.5, "cached": 3, "single layers": 3,
        "heads": 4, "heads cached": 4},
}


@dataclass
class Peer:
    """A program to compare with."""

    name: str
    kind: str  # a class of peers.py
    candidates: list[dict]  # settings to try
    target: float | None = None  # how many times its speed, as installed, vitpatch is to have
    times: list[float] = field(default_factory=list)
    setting: str = ""
    installed: float | None = None  # seconds as installed, measured once; None where that is the fastest
    note: str = ""  # what of the work that was measured on
    peak: int = 0
    difference: float | None = None  # of probabilities: vitpatch's from these; of a peer in bf16, its from a peer's in fp32

    @property
    def in_bf16(self) -> bool:
        return "autocast" in self.candidates[0] or "dtype" in self.candidates[0]


@dataclass
class Row:
    """Work that is compared: vitpatch's way to do it, and the peers."""

    name: str
    measure: Callable[[], float | Sweep]
    peers: list[Peer]
    rounds: int
    seconds: float = 0  # to repeat short work for
    turns: str = ""  # rows with the same text take their turns together
    places: list = field(default_factory=list)
    trial: int = 0  # places that candidates are tried on, where all would take long
    is_estimate: bool = False
    forwards: list[float] = field(default_factory=list)  # of estimates: forward passes an image that take as long
    times: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    peak: int = 0

    def ratios(self, peer: Peer) -> list[float]:
        return [theirs / own for theirs, own in zip(peer.times, self.times)]


def main() -> None:
    options = arguments()
    cuda = options.device == "cuda"
    folder = HERE / ".cache"
    make_inputs(folder)
    vitpatch = Vitpatch(options.vitpatch, folder / "model", folder / "images", cuda, options.precision)
    facts = machine.facts(vitpatch, options.device)
    comparison = Comparison(vitpatch, folder, options)
    rows = [row for row in comparison.rows() if not options.only or any(part in row.name for part in options.only)]
    for _, together in groupby(rows, key=lambda row: row.turns or row.name):
        comparison.run(list(together))
    print(report.terminal(report.write(facts, rows, comparison.tried, options.rounds)))
    tolerance = TOLERANCE[options.precision]
    differing = [
        f"{row.name}: {peer.name}" for row in rows for peer in row.peers
        if not peer.in_bf16 and (peer.difference or 0) > (ESTIMATE_TOLERANCE if row.is_estimate else tolerance)]
    if differing:
        sys.exit(f"results differ by more than {tolerance} ({ESTIMATE_TOLERANCE} of estimates): {', '.join(differing)}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="cuda: on the first GPU; not yet run on one")
    parser.add_argument(
        "--precision", choices=list(TARGETS), default="fp32", help="vitpatch's; bf16x3 has peers in bf16 too (default fp32)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of every row (default 5; of sweeps fewer)")
    parser.add_argument("--seconds", type=float, default=2, help="to repeat short work for in a turn (default 2)")
    parser.add_argument("--only", action="append", help="rows whose name has this text; repeatable")
    parser.add_argument("--all-heads", action="store_true", help="all 144 heads with other precisions than fp32 too")
    parser.add_argument("--vitpatch", default=str(HERE.parent / ".build/release/vitpatch"), help="the program")
    options = parser.parse_args()
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds and --seconds must be positive")
    if not os.access(options.vitpatch, os.X_OK):
        parser.error(f"{options.vitpatch} is not a program; run make build")
    return options


def make_inputs(folder: Path) -> None:
    """Makes the model and the images anew where inputs.py has changed."""
    source = (HERE / "inputs.py").read_text()
    stamp = folder / "inputs.py"
    if not stamp.exists() or stamp.read_text() != source:
        folder.mkdir(exist_ok=True)
        subprocess.run([sys.executable, HERE / "inputs.py", folder], check=True)
        stamp.write_text(source)


class Comparison:
    def __init__(self, vitpatch: Vitpatch, folder: Path, options: argparse.Namespace):
        self.vitpatch, self.folder, self.options = vitpatch, folder, options
        self.threads = vitpatch.units if options.device == "cpu" else os.cpu_count()
        self.tried: list[tuple[str, str, str, float, str]] = []  # row, peer, setting, seconds, note
        self.linears = ["mkl", "onednn"] if options.device == "cpu" else ["cublas"]

    def rows(self) -> list[Row]:
        rounds, seconds, targets = self.options.rounds, self.options.seconds, TARGETS[self.options.precision]
        fp32 = self.options.precision == "fp32"
        sweeps, heads = (rounds, min(3, rounds)) if fp32 else (min(3, rounds), min(2, rounds))
        rows = []

        # The speed of AMX changes by a factor of 2 to 3 from time to time: more turns, and shorter ones. One run of `vitpatch
        # bench` is then for all four products.
        turns = (rounds, seconds) if fp32 else (2 * rounds - 1, seconds / 8)
        measured: dict[tuple, float] = {}  # lines of `vitpatch bench` that no row has taken yet

        def bench(line, *arguments):
            if fp32 or (line, *arguments) not in measured:
                medians = [entry["median"] for entry in self.vitpatch.bench(*arguments)["measurements"]]
                measured.update({(i, *arguments): median for i, median in enumerate(medians)})
            return measured.pop((line, *arguments))

        def single(name, group, images, line, peers, rounds, seconds, precision=self.options.precision):
            row = Row(name, lambda: bench(line, group, images, seconds, precision), peers, rounds, seconds)
            row.turns = "" if fp32 else f"{group} {images} {precision}"
            rows.append(row)

        # As `vitpatch bench` lists them
        shapes = [(2304, 768, False), (768, 768, False), (3072, 768, True), (768, 3072, False)]
        products = [
            (images, line, f"GEMM, M {images * TOKENS}, N {n}, K {k}{', GELU' if gelu else ''}",
             {"m": [images * TOKENS], "n": [n], "k": [k], "gelu": [gelu]})
            for images in targets["products"] for line, (n, k, gelu) in enumerate(shapes)]
        for images, line, name, shape in products:
            single(name, "gemm", images, line,
                   self.both_ways("F.linear", "Product", targets["products"][images], **shape), *turns)
        for images, line, name, shape in [] if fp32 else products:
            single(f"{name}, bf16", "gemm", images, line,
                   self.in_bf16("F.linear", "Product", 1, dtype=["bfloat16"], **shape), *turns, "bf16")
        for images in [IMAGES, 1]:
            name = f"forward pass, {images} image{'s' if images > 1 else ''}"
            target = targets["forward"] if images == IMAGES else None
            transformers = ("transformers", "Forward")
            choices = {"attention": ["sdpa", "eager"], "images": [images]}
            peers = self.both_ways(*transformers, target, **choices) + self.in_bf16(*transformers, **choices)
            single(name, "pass", images, 0, peers, rounds, seconds)
            if images == IMAGES and not fp32:
                single(f"{name}, bf16", "pass", images, 0, self.in_bf16(*transformers, **choices), rounds, seconds, "bf16")

        def sweep(name, options, places, peers, rounds, trial=0):
            row = Row(f"{name}, {IMAGES} images", lambda: self.vitpatch.sweep(options, len(places)), peers, rounds)
            row.places, row.trial = places, trial
            rows.append(row)

        original = ("hooks, the original way", "HooksOriginal")
        cached = ("hooks with a cache", "HooksCached")
        lens = ("TransformerLens", "TransformerLens")
        # The run is to take less than half an hour beside twice as many peers: fewer settings, tried on 4 places each
        batches, trials = ([[IMAGES, 1], [1, 4, 12], [1, 12]], [0, 24]) if fp32 else ([[IMAGES, 1], [1, 4], [1, 4]], [4, 4])
        each, few, many = ({"together": together} for together in batches)
        sdpa, eager = {"attention": ["sdpa"]}, {"attention": ["eager"]}
        sweep("12 windows of 3 layers", ["--site", "attn_out", "--window", "3"], WINDOWS, [
            Peer(*original, self.settings(**sdpa, **each), targets["original"]),
            Peer(*cached, self.settings(**sdpa, **few), targets["cached"]),
            *self.in_bf16(*original, **sdpa, **each),
            *self.in_bf16(*cached, **sdpa, **few),
        ], sweeps, trials[0])
        sweep("12 single layers", ["--site", "attn_out", "--window", "1"], SINGLE, [
            Peer(*lens, self.settings(**eager, **few), targets["single layers"]),
            *self.in_bf16(*lens, **eager, **few),
        ], sweeps, trials[0])
        name, layers, places = ("144 heads", [], EACH_HEAD) if fp32 or self.options.all_heads else (
            f"{len(SOME_HEADS)} of 144 heads (layers {' '.join(map(str, SOME_LAYERS))})",
            ["--layers", ",".join(map(str, SOME_LAYERS))], SOME_HEADS)
        sweep(name, ["--site", "z", *layers], places, [
            Peer(*lens, self.settings(**eager, **many), targets["heads"]),
            Peer(*cached, self.settings(**sdpa, **many), targets["heads cached"]),
            *self.in_bf16(*cached, **sdpa, **many),
        ], heads, trials[1])
        if not fp32:
            return rows  # estimates are compared in fp32

        # Weights packed by oneDNN have no gradients, so autograd has PyTorch's own linear maps.
        for name, options, sites in [
            ("attribution, heads and outputs by token", ["--tokens", "each"], ["z", "attn_out", "mlp_out", "resid_post"]),
            ("attribution, outputs and neurons", ["--neurons", "each"], ["attn_out", "mlp_out", "resid_post", "mlp_act"]),
        ]:
            settings = [setting for setting in self.settings(attention=["sdpa", "eager"]) if setting["linear"] != "onednn"]
            rows.append(Row(
                f"{name}, {IMAGES} images",
                lambda options=options, sites=sites: self.vitpatch.attribution(options, sites, IMAGES, seconds),
                [Peer("autograd", "Attribution", settings, 1.5)], rounds, places=sites, is_estimate=True))
        return rows

    def both_ways(self, name: str, kind: str, target: float | None, **choices: list) -> list[Peer]:
        """A peer as installed, which the target is for, and with packed weights."""
        settings = self.settings(**choices)
        ways = [[setting for setting in settings if setting["linear"] == linear] for linear in self.linears]
        peers = [Peer(name, kind, ways[0], target)]
        return peers + [Peer(f"{name}, packed weights", kind, way) for way in ways[1:]]

    def in_bf16(self, name: str, kind: str, target: float | None = None, **choices: list) -> list[Peer]:
        """A peer in bf16 with PyTorch's own linear maps; none where vitpatch computes in fp32. Models by autocast, products
        of bf16 inputs and weights."""
        if self.options.precision == "fp32":
            return []
        choices = choices if "dtype" in choices else {**choices, "autocast": [True]}
        settings = [setting for setting in self.settings(**choices) if setting["linear"] == self.linears[0]]
        return [Peer(f"{name}, {'bf16' if 'dtype' in choices else 'bf16 autocast'}", kind, settings, target)]

    def settings(self, **choices: list) -> list[dict]:
        """All combinations; every one has a linear map's library."""
        settings: list[dict] = [{}]
        for key, values in {"linear": self.linears, **choices}.items():
            settings = [{**setting, key: value} for setting in settings for value in values]
        return settings

    # MARK: Rounds

    def run(self, rows: list[Row]) -> None:
        chosen = [[self.choose(row, peer) for peer in row.peers] for row in rows]
        for row in rows:
            row.measure()  # once untimed: kernels that are not compiled yet
        with ExitStack() as stack:
            workers = [
                [stack.enter_context(self.worker(row, peer, setting, row.places)) for peer, setting in zip(row.peers, settings)]
                for row, settings in zip(rows, chosen)
            ]
            for _ in range(rows[0].rounds):
                for row, own in zip(rows, workers):
                    self.turn(row, own)
        for row in rows:
            print(report.line(row), flush=True)

    def turn(self, row: Row, workers: list[Worker]) -> None:
        own = row.measure()
        row.times.append(own.seconds if isinstance(own, Sweep) else own)
        if isinstance(own, Sweep):
            row.whole.append(own.whole)
            row.peak = max(row.peak, own.peak)
            if own.forward is not None:
                row.forwards.append(own.seconds / own.forward)
        exact = None  # probabilities of the first peer, which is one in fp32
        for peer, worker in zip(row.peers, workers):
            run = worker.run(row.seconds)
            exact = exact or run.result
            peer.times.append(run.seconds)
            peer.peak = worker.peak()
            if isinstance(own, Sweep):
                pair = (run.result, exact) if peer.in_bf16 else (own.probabilities, run.result)
                peer.difference = max(peer.difference or 0, difference(*pair, relative=row.is_estimate))

    def worker(self, row: Row, peer: Peer, setting: dict, places: list) -> Worker:
        settings = {**setting, "folder": str(self.folder), "device": self.options.device}
        if row.places:
            settings["places"] = places
        return Worker(peer.kind, self.threads, settings)

    def choose(self, row: Row, peer: Peer) -> dict:
        """The fastest of a peer's settings"""
        if len(peer.candidates) == 1:
            peer.setting = words(peer.candidates[0])
            return peer.candidates[0]
        times = []
        note = f"{row.trial} of {len(row.places)} places" if row.trial else ""
        for setting in peer.candidates:
            with self.worker(row, peer, setting, row.places[: row.trial or None]) as worker:
                times.append(worker.run(row.seconds).seconds)
            self.tried.append((row.name, peer.name, words(setting), times[-1], note))
            print(f"  tried {row.name}: {peer.name}, {words(setting)}: {times[-1]:.4g} s {note}", flush=True)
        best = peer.candidates[times.index(min(times))]
        peer.setting = words(best)
        if row.places and best["linear"] != self.linears[0]:
            # A clean and a corrupted pass belong to the places; the original way makes both at once.
            both = 1 if peer.kind == "HooksOriginal" else 2
            scale = (both + len(row.places)) / (both + row.trial) if row.trial else 1
            installed = [time for time, setting in zip(times, peer.candidates) if setting["linear"] == self.linears[0]]
            peer.installed, peer.note = min(installed) * scale, note
        return best


def words(setting: dict) -> str:
    """A setting as text"""
    names = {"mkl": "F.linear as installed", "onednn": "oneDNN, packed weights", "cublas": "F.linear"}
    text = [names[setting["linear"]]]
    if "autocast" in setting:
        text.append("autocast")
    if "attention" in setting:
        text.append(f"{setting['attention']} attention")
    if "together" in setting:
        text.append(f"{setting['together']} together")
    return ", ".join(text)


def difference(own: list[list[float]], theirs: list[list[float]], relative: bool) -> float:
    """The largest one; relative to 1 + its size"""
    return max(
        abs(a - b) / (1 + abs(b) if relative else 1)
        for x, y in zip(own, theirs, strict=True) for a, b in zip(x, y, strict=True))


if __name__ == "__main__":
    main()
