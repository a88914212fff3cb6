"""A peer in a process of its own, which waits while another program is measured."""

import multiprocessing
import statistics
import time
from dataclasses import dataclass
from typing import Any


@dataclass
class Run:
    seconds: float
    result: Any = None


class Worker:
    """`with Worker("Forward", threads, settings) as worker: worker.run(seconds)`"""

    def __init__(self, peer: str, threads: int, settings: dict):
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, peer, threads, settings), daemon=True)
        self.process.start()
        theirs.close()
        self.connection.recv()

    def run(self, seconds: float = 0) -> Run:
        """The median time of a run: as many as fit into `seconds`, three at least; a single one for 0."""
        self.connection.send(seconds)
        return self.connection.recv()

    def peak(self) -> int:
        """The most memory that the process had so far, bytes"""
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_) -> None:
        self.connection.close()
        self.process.join()


def serve(connection, peer: str, threads: int, settings: dict) -> None:
    import torch

    import peers
    from peer_models import prepare

    prepare(threads)
    autocast = settings.pop("autocast", False)
    wait = torch.cuda.synchronize if settings["device"] == "cuda" else lambda: None
    # One autocast around all runs, without inference mode: only so are the weights converted once, and not in every pass.
    mode = torch.no_grad() if autocast else torch.inference_mode()
    with mode, torch.autocast(settings["device"], torch.bfloat16, enabled=autocast):
        call = getattr(peers, peer)(**settings).run
        wait()
        connection.send("ready")
        try:
            while True:
                seconds, times, begin = connection.recv(), [], None
                if seconds > 0:
                    call()
                    wait()
                begin = time.perf_counter()
                while not times or (seconds > 0 and (len(times) < 3 or time.perf_counter() - begin < seconds)):
                    start = time.perf_counter()
                    result = call()
                    wait()
                    times.append(time.perf_counter() - start)
                connection.send(Run(statistics.median(times), result))
        except EOFError:
            pass
