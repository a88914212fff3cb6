"""The comparison as text: lines for the terminal, results.json, and results.md, which is made of results.json alone
(`python report.py` makes it anew); with another precision than fp32 results-PRECISION.json and .md."""

import json
import statistics
from pathlib import Path

HERE = Path(__file__).resolve().parent


def time(seconds: float) -> str:
    if seconds >= 100:
        return f"{seconds:.0f} s"
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def spread(times: list[float]) -> str:
    """The median, and the fastest to the slowest"""
    return f"{time(statistics.median(times))} ({time(min(times))}-{time(max(times))})"


def ratio(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def record(row, peer) -> dict:
    """What results.json keeps of a peer of a row."""
    return {
        "work": row.name, "peer": peer.name, "setting": peer.setting, "in_bf16": peer.in_bf16,
        "is_sweep": bool(row.places) and not row.is_estimate,
        "forwards": row.forwards,
        "vitpatch_seconds": row.times, "vitpatch_process_seconds": row.whole, "peer_seconds": peer.times,
        "ratios": row.ratios(peer), "target": peer.target, "installed_seconds": peer.installed, "installed_note": peer.note,
        "largest_difference": peer.difference, "vitpatch_peak_bytes": row.peak, "peer_peak_bytes": peer.peak,
    }


def installed(item: dict) -> float | None:
    """How many times as fast as the peer as installed vitpatch is; None where there is nothing to compare with."""
    if item["installed_seconds"] is not None:
        return item["installed_seconds"] / statistics.median(item["vitpatch_seconds"])
    return None if item["target"] is None else statistics.median(item["ratios"])


def installed_text(item: dict) -> str:
    if item["installed_seconds"] is None:
        return "the same" if item["target"] is not None else ""
    note = f", {item['installed_note']}" if item["installed_note"] else ""
    return f"{installed(item):.2f} ({time(item['installed_seconds'])}, once{note})"


def verdict(item: dict) -> str:
    """A target is for the peer as installed; where its fastest setting is another, whether that one meets it too."""
    def met(times: float) -> str:
        return "met" if times >= item["target"] else "missed"

    if item["target"] is None:
        return ""
    text = f"{item['target']:g} {met(installed(item))}"
    if item["installed_seconds"] is None:
        return text
    return f"{text} as installed, {met(statistics.median(item['ratios']))} by the fastest setting"


HEADER = ["work", "vitpatch", "peer", "its time", "times as fast", "as installed", "target"]


def cells(item: dict) -> list[str]:
    return [
        item["work"], spread(item["vitpatch_seconds"]), item["peer"], spread(item["peer_seconds"]), ratio(item["ratios"]),
        installed_text(item), verdict(item),
    ]


def table(lines: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in [lines[0], ["---"] * len(lines[0])] + lines[1:])


def line(row) -> str:
    return "\n".join("  ".join(cells(record(row, peer))).rstrip() for peer in row.peers)


def terminal(results: dict) -> str:
    lines = [HEADER] + [cells(item) for item in results["rows"]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADER))]
    text = [f"{key}: {value}" for key, value in results["facts"].items()] + [""]
    text += ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    for item in results["rows"]:
        if item["largest_difference"] is not None:
            what = "estimates" if item.get("forwards") else "probabilities"
            whose = "the peer's " if item.get("in_bf16") else ""
            whom = " from those in fp32" if item.get("in_bf16") else ""
            text.append(
                f"{item['work']}, {item['peer']}: {whose}{what} differ by {item['largest_difference']:.1e} at most{whom}")
        if item.get("forwards"):
            text.append(f"{item['work']}: as long as {ratio(item['forwards'])} forward passes an image")
    return "\n".join(text)


def page(results: dict) -> str:
    items = results["rows"]
    precision = results["facts"].get("precision", "fp32")
    fp32 = precision == "fp32"
    arithmetic = "fp32 everywhere" if fp32 else (
        f"vitpatch computes matrix products in {precision} (three bf16 products for one of fp32), in rows named bf16 in "
        "bf16; its peers compute in fp32, or in bf16 where their name says so: PyTorch's autocast, or products of bf16 inputs "
        "and weights")
    options = "" if fp32 else f' BENCHMARK_OPTIONS="--precision {precision}"'
    fewer = "fewer for the heads" if fp32 else f"{2 * results['rounds'] - 1} for products, fewer for sweeps"
    sweeps = [item for item in items if item["is_sweep"]]
    parts = [
        "# vitpatch beside PyTorch, transformers and TransformerLens" + ("" if fp32 else f": {precision}"),
        f"Written by `make benchmark{options}` (`Benchmarks/run.sh`); docs/performance.md says how to read it.",
        table([["", ""]] + [[key, value] for key, value in results["facts"].items()]),
        f"The model is a ViT-B/16 with random weights, 224 x 224 pixels, 197 tokens, 1000 classes; {arithmetic}. "
        f"vitpatch and its peers took turns; a time is the median of {results['rounds']} rounds ({fewer}) with "
        "the fastest and the slowest. *Times as fast* is the median of the peer's time by vitpatch's in the same round. "
        "A sweep's peer is in its fastest setting (below), which may be PyTorch with weights packed by oneDNN; *as installed* "
        "is by how many times vitpatch is as fast as the peer with PyTorch's own linear maps, which was run once. Targets are "
        "for PyTorch as installed; for sweeps the table says too whether the fastest setting meets them. Start-up, reading the model and importing libraries count for nobody; a sweep of "
        "vitpatch reads its images and stores its results in that time, its peers do not.",
        table([HEADER] + [cells(item) for item in items]),
        "## What the peers were",
        table([["work", "peer", "setting"]] + [[item["work"], item["peer"], item["setting"]] for item in items]),
    ]
    if sweeps:
        parts += [
            "## Sweeps: agreement, whole process, memory",
            "Probabilities of the label, of every pass; memory is the most that a process had resident."
            + ("" if fp32 else " *Error in probability*: the largest difference from a peer in fp32; of vitpatch from the peer "
               "of the line, of a peer in bf16 from the first peer of the work."),
            table([["work", "peer", "largest difference" if fp32 else "error in probability", "vitpatch's whole process",
                    "vitpatch's memory", "the peer's memory"]]
                  + [[item["work"], item["peer"], difference(item, fp32),
                      spread(item["vitpatch_process_seconds"]), memory(item["vitpatch_peak_bytes"]),
                      memory(item["peer_peak_bytes"])] for item in sweeps]),
        ]
    attributions = [item for item in items if item.get("forwards")]
    if attributions:
        parts += [
            "## Estimates from gradients",
            "The peer is PyTorch's autograd on transformers' model: the clean pass, the corrupted pass with gradients kept at "
            "the sites, the backward pass of the log-odds, and gradient times difference. *Forward passes*: how many forward "
            "passes of vitpatch an image take as long as its sweep, reading and storing included; differences are relative to "
            "1 + the estimate's size.",
            table([["work", "forward passes", "largest difference", "vitpatch's memory", "the peer's memory"]]
                  + [[item["work"], ratio(item["forwards"]), f"{item['largest_difference']:.1e}",
                      memory(item["vitpatch_peak_bytes"]), memory(item["peer_peak_bytes"])] for item in attributions]),
        ]
    parts += [
        "## Settings that were tried",
        "*Together*: places in a batch of hooks with a cache and of TransformerLens, images in a half of a batch of the "
        "original way.",
        table([["work", "peer", "setting", "time", ""]]
              + [[item["work"], item["peer"], item["setting"], time(item["seconds"]), item["note"]]
                 for item in results["tried"]]),
    ]
    return "\n\n".join(parts) + "\n"


def write(facts: dict[str, str], rows: list, tried: list, rounds: int) -> dict:
    """Writes both files, each precision's its own.

    Returns: what results.json holds
    """
    results = {
        "facts": facts,
        "rounds": rounds,
        "rows": [record(row, peer) for row in rows for peer in row.peers],
        "tried": [dict(zip(["work", "peer", "setting", "seconds", "note"], entry)) for entry in tried],
    }
    path = HERE / ("results.json" if facts["precision"] == "fp32" else f"results-{facts['precision']}.json")
    path.write_text(json.dumps(results, indent=2) + "\n")
    path.with_suffix(".md").write_text(page(results))
    return results


def difference(item: dict, fp32: bool) -> str:
    whose = "" if fp32 else "the peer's: " if item["in_bf16"] else "vitpatch's: "
    return f"{whose}{item['largest_difference']:.1e}"


def memory(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"


if __name__ == "__main__":
    for path in HERE.glob("results*.json"):
        path.with_suffix(".md").write_text(page(json.loads(path.read_text())))
