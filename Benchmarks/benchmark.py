"""vitpatch beside PyTorch, transformers with hooks and TransformerLens, on one machine in one run (see run.sh).

PyTorch's linear maps come in two ways: as installed, and with weights packed by oneDNN, which is the faster one on some
processors. Single passes are compared with both. Peers of a sweep get their fastest setting: each is tried once, the best
goes on. Then vitpatch and the peers take turns for
several rounds; a ratio is the peer's time by vitpatch's of the same round. All programs compute in fp32 on as many threads
as the OpenCL device has compute units. Probabilities must agree.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import machine
import report
from ours import IMAGES, Sweep, Vitpatch
from worker import Worker

HERE = Path(__file__).resolve().parent
LAYERS, HEADS, ROWS = 12, 12, 1576
# The most that a probability may differ: what `vitpatch verify` asks of a device too. float32 takes some 1e-6 here.
TOLERANCE = 2e-5
# The most that an estimate may differ, relative to 1 + its size: sums of thousands of float32 products
ESTIMATE_TOLERANCE = 1e-3

WINDOWS = [(tuple(range(max(0, layer - 1), min(LAYERS, layer + 2))), None) for layer in range(LAYERS)]
SINGLE = [((layer,), None) for layer in range(LAYERS)]
EACH_HEAD = [((layer,), head) for layer in range(LAYERS) for head in range(HEADS)]


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
    difference: float | None = None  # of probabilities


@dataclass
class Row:
    """Work that is compared: vitpatch's way to do it, and the peers."""

    name: str
    measure: Callable[[], float | Sweep]
    peers: list[Peer]
    rounds: int
    seconds: float = 0  # to repeat short work for
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
    vitpatch = Vitpatch(options.vitpatch, folder, gpu=cuda)
    facts = machine.facts(vitpatch, options.device)
    comparison = Comparison(vitpatch, folder, options)
    rows = [row for row in comparison.rows() if not options.only or any(part in row.name for part in options.only)]
    for row in rows:
        comparison.run(row)
        print(report.line(row), flush=True)
    print(report.terminal(report.write(facts, rows, comparison.tried, options.rounds)))
    differing = [
        f"{row.name}: {peer.name}" for row in rows for peer in row.peers
        if (peer.difference or 0) > (ESTIMATE_TOLERANCE if row.is_estimate else TOLERANCE)]
    if differing:
        sys.exit(f"results differ by more than {TOLERANCE} ({ESTIMATE_TOLERANCE} of estimates): {', '.join(differing)}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="cuda: on the first GPU; not yet run on one")
    parser.add_argument("--rounds", type=int, default=5, help="turns of every row (default 5; 3 for the heads)")
    parser.add_argument("--seconds", type=float, default=2, help="to repeat short work for in a turn (default 2)")
    parser.add_argument("--only", action="append", help="rows whose name has this text; repeatable")
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
        rounds, heads, seconds = self.options.rounds, min(3, self.options.rounds), self.options.seconds
        # As `vitpatch bench` lists them
        products = [(2304, 768, False), (768, 768, False), (3072, 768, True), (768, 3072, False)]
        rows = []
        for line, (n, k, gelu) in enumerate(products):
            peers = self.both_ways("F.linear", "Product", 0.9, m=[ROWS], n=[n], k=[k], gelu=[gelu])
            rows.append(Row(
                f"GEMM, M {ROWS}, N {n}, K {k}{', GELU' if gelu else ''}", lambda line=line: self.bench("gemm", IMAGES, line),
                peers, rounds, seconds))
        for images in [IMAGES, 1]:
            target = 0.9 if images == IMAGES else None
            peers = self.both_ways("transformers", "Forward", target, attention=["sdpa", "eager"], images=[images])
            rows.append(Row(
                f"forward pass, {images} image{'s' if images > 1 else ''}", lambda images=images: self.bench("pass", images, 0),
                peers, rounds, seconds))

        def sweep(name, options, places, peers, rounds, trial=0):
            row = Row(f"{name}, {IMAGES} images", lambda: self.vitpatch.sweep(options, len(places)), peers, rounds)
            row.places, row.trial = places, trial
            rows.append(row)

        sweep("12 windows of 3 layers", ["--site", "attn_out", "--window", "3"], WINDOWS, [
            Peer("hooks, the original way", "HooksOriginal", self.settings(attention=["sdpa"], together=[IMAGES, 1]), 4),
            Peer("hooks with a cache", "HooksCached", self.settings(attention=["sdpa"], together=[1, 4, 12]), 2.1),
        ], rounds)
        sweep("12 single layers", ["--site", "attn_out", "--window", "1"], SINGLE, [
            Peer("TransformerLens", "TransformerLens", self.settings(attention=["eager"], together=[1, 4, 12]), 1.8),
        ], rounds)
        sweep("144 heads", ["--site", "z"], EACH_HEAD, [
            Peer("TransformerLens", "TransformerLens", self.settings(attention=["eager"], together=[1, 12]), 2.4),
            Peer("hooks with a cache", "HooksCached", self.settings(attention=["sdpa"], together=[1, 12]), 2.4),
        ], heads, trial=24)

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

    def settings(self, **choices: list) -> list[dict]:
        """All combinations; every one has a linear map's library."""
        settings: list[dict] = [{}]
        for key, values in {"linear": self.linears, **choices}.items():
            settings = [{**setting, key: value} for setting in settings for value in values]
        return settings

    def bench(self, group: str, images: int, line: int) -> float:
        return self.vitpatch.bench(group, images, self.options.seconds)["measurements"][line]["median"]

    # MARK: Rounds

    def run(self, row: Row) -> None:
        chosen = [self.choose(row, peer) for peer in row.peers]
        row.measure()  # once untimed: kernels that are not compiled yet
        with ExitStack() as stack:
            workers = [
                stack.enter_context(self.worker(row, peer, setting, row.places)) for peer, setting in zip(row.peers, chosen)
            ]
            for _ in range(row.rounds):
                own = row.measure()
                row.times.append(own.seconds if isinstance(own, Sweep) else own)
                if isinstance(own, Sweep):
                    row.whole.append(own.whole)
                    row.peak = max(row.peak, own.peak)
                    if own.forward is not None:
                        row.forwards.append(own.seconds / own.forward)
                for peer, worker in zip(row.peers, workers):
                    run = worker.run(row.seconds)
                    peer.times.append(run.seconds)
                    peer.peak = worker.peak()
                    if isinstance(own, Sweep):
                        peer.difference = max(
                            peer.difference or 0, difference(own.probabilities, run.result, relative=row.is_estimate))

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
            # A clean and a corrupted pass belong to the places.
            scale = (2 + len(row.places)) / (2 + row.trial) if row.trial else 1
            installed = [time for time, setting in zip(times, peer.candidates) if setting["linear"] == self.linears[0]]
            peer.installed, peer.note = min(installed) * scale, note
        return best


def words(setting: dict) -> str:
    """A setting as text"""
    names = {"mkl": "F.linear as installed", "onednn": "oneDNN, packed weights", "cublas": "F.linear"}
    text = [names[setting["linear"]]]
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
