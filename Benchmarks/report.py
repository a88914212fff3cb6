"""The comparison as text: lines for the terminal, results.md and results.json."""

import json
import statistics
from pathlib import Path


def time(seconds: float) -> str:
    if seconds >= 100:
        return f"{seconds:.0f} s"
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def spread(times: list[float]) -> str:
    """The median, and the fastest to the slowest"""
    return f"{time(statistics.median(times))} ({time(min(times))}-{time(max(times))})"


def ratio(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def installed(row, peer) -> str:
    if not row.places:
        return ""
    if peer.installed is None:
        return "the same"
    note = f", {peer.note}" if peer.note else ""
    return f"{time(peer.installed)} ({peer.installed / statistics.median(row.times):.2f}{note})"


def verdict(row, peer) -> str:
    return "" if peer.target is None else f"{peer.target:g} {'met' if row.met(peer) else 'missed'}"


def cells(row, peer) -> list[str]:
    return [row.name, spread(row.times), peer.name, spread(peer.times), ratio(row.ratios(peer)), verdict(row, peer)]


HEADER = ["work", "vitpatch", "peer", "its time", "times as fast", "target"]


def table(lines: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in [lines[0], ["---"] * len(lines[0])] + lines[1:])


def line(row) -> str:
    return "\n".join("  ".join(cells(row, peer)) for peer in row.peers)


def terminal(facts: dict[str, str], rows: list) -> str:
    lines = [HEADER] + [cells(row, peer) for row in rows for peer in row.peers]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADER))]
    text = [f"{key}: {value}" for key, value in facts.items()] + [""]
    text += ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    for row in rows:
        for peer in row.peers:
            if peer.difference is not None:
                text.append(f"{row.name}, {peer.name}: probabilities differ by {peer.difference:.1e} at most")
    return "\n".join(text)


def write(folder: Path, facts: dict[str, str], rows: list, tried: list, options) -> None:
    pairs = [(row, peer) for row in rows for peer in row.peers]
    sweeps = [(row, peer) for row, peer in pairs if row.places]
    parts = [
        "# vitpatch beside PyTorch, transformers and TransformerLens",
        "Written by `make benchmark` (`Benchmarks/run.sh`); docs/performance.md says how to read it.",
        table([["", ""]] + [[key, value] for key, value in facts.items()]),
        f"The model is a ViT-B/16 with random weights, 224 x 224 pixels, 197 tokens, 1000 classes; fp32 everywhere. "
        f"vitpatch and its peers took turns; a time is the median of {options.rounds} rounds (fewer for the heads) with the "
        "fastest and the slowest. *Times as fast* is the median of the peer's time by vitpatch's in the same round. "
        "Start-up, reading the model and importing libraries count for nobody; a sweep of vitpatch reads its images and "
        "stores its results in that time, its peers do not.",
        table([HEADER] + [cells(row, peer) for row, peer in pairs]),
        "## What the peers were",
        "Each in the fastest of the settings below. *As installed* is a sweep's peer with PyTorch's own linear maps, "
        "measured once, and by how many times vitpatch is as fast as that.",
        table([["work", "peer", "setting", "as installed"]]
              + [[row.name, peer.name, peer.setting, installed(row, peer)] for row, peer in pairs]),
    ]
    if sweeps:
        parts += [
            "## Sweeps: agreement, whole process, memory",
            "Probabilities of the label, of every pass; memory is the most that a process had resident.",
            table([["work", "peer", "largest difference", "vitpatch's whole process", "vitpatch's memory", "the peer's memory"]]
                  + [[row.name, peer.name, f"{peer.difference:.1e}", spread(row.whole), memory(row.peak), memory(peer.peak)]
                     for row, peer in sweeps]),
        ]
    parts += [
        "## Settings that were tried",
        "*Together*: places in a batch of hooks with a cache and of TransformerLens, images in a half of a batch of the "
        "original way.",
        table([["work", "peer", "setting", "time", ""]]
              + [[row, peer, setting, time(seconds), note] for row, peer, setting, seconds, note in tried]),
    ]
    (folder / "results.md").write_text("\n\n".join(parts) + "\n")
    (folder / "results.json").write_text(json.dumps({
        "facts": facts,
        "rows": [{
            "work": row.name, "peer": peer.name, "setting": peer.setting, "vitpatch_seconds": row.times,
            "vitpatch_process_seconds": row.whole, "peer_seconds": peer.times, "ratios": row.ratios(peer),
            "target": peer.target, "met": row.met(peer), "installed_seconds": peer.installed, "largest_difference": peer.difference,
            "vitpatch_peak_bytes": row.peak, "peer_peak_bytes": peer.peak,
        } for row, peer in pairs],
        "tried": [dict(zip(["work", "peer", "setting", "seconds", "note"], entry)) for entry in tried],
    }, indent=2) + "\n")


def memory(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"
