"""vitpatch beside PyTorch, transformers with hooks and TransformerLens, on one machine in one run (see run.sh).

PyTorch's linear maps come in two ways: as installed, and with weights packed by oneDNN, which is the faster one on some
processors. Single passes are compared with both. Peers of a sweep get their fastest setting: each is tried once, the
best goes on. Then vitpatch and the peers take turns for several rounds; a ratio is the peer's time by vitpatch's of the
same round. All programs run on as many threads as the OpenCL device has compute units, and compute in fp32. With
--precision bf16x3 vitpatch computes in that; its peers stay in fp32, and beside them stand peers in bf16 with the
largest error that it makes. Probabilities must agree.
"""

import argparse
import os
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import machine
import report
from ours import Vitpatch
from rounds import Rounds
from rows import Rows
from targets import ESTIMATE_TOLERANCE, TARGETS, TOLERANCE

HERE = Path(__file__).resolve().parent


def main() -> None:
    options = arguments()
    cuda = options.device == "cuda"
    folder = HERE / ".cache"
    make_inputs(folder)
    vitpatch = Vitpatch(options.vitpatch, folder / "model", folder / "images", cuda, options.precision)
    facts = machine.facts(vitpatch, options.device)
    rows = [
        row for row in Rows(vitpatch, options).all()
        if not options.only or any(part in row.name for part in options.only)]
    rounds = Rounds(vitpatch, folder, options.device)
    for _, together in groupby(rows, key=lambda row: row.turns or row.name):
        rounds.run(list(together))
    print(report.terminal(report.write(facts, rows, rounds.tried, options.rounds)))
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


if __name__ == "__main__":
    main()
