"""What is compared: peers, and rows of work with the times that were measured."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ours import Sweep

# Libraries of linear maps by device; the first is PyTorch's as installed.
LINEARS = {"cpu": ["mkl", "onednn"], "cuda": ["cublas"]}


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
