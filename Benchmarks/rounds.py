"""Rounds in which vitpatch and its peers take turns, each peer in its fastest setting."""

import os
from contextlib import ExitStack
from pathlib import Path

import report
from comparison import LINEARS, Peer, Row
from ours import Sweep, Vitpatch
from worker import Worker


class Rounds:
    def __init__(self, vitpatch: Vitpatch, folder: Path, device: str):
        self.folder, self.device = folder, device
        self.threads = vitpatch.units if device == "cpu" else os.cpu_count()
        self.tried: list[tuple[str, str, str, float, str]] = []  # row, peer, setting, seconds, note
        self.linears = LINEARS[device]

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
        settings = {**setting, "folder": str(self.folder), "device": self.device}
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
