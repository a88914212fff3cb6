"""The rows of the comparison: what is measured, beside which peers in which settings."""

import argparse

from comparison import LINEARS, Peer, Row
from ours import IMAGES, Vitpatch
from targets import TARGETS

LAYERS, HEADS, TOKENS = 12, 12, 197
WINDOWS = [(tuple(range(max(0, layer - 1), min(LAYERS, layer + 2))), None) for layer in range(LAYERS)]
SINGLE = [((layer,), None) for layer in range(LAYERS)]
EACH_HEAD = [((layer,), head) for layer in range(LAYERS) for head in range(HEADS)]
# Where every peer is measured in fp32 and in bf16, the heads of some layers: as deep on average as all
SOME_LAYERS = [1, 4, 7, 10]
SOME_HEADS = [((layer,), head) for layer in SOME_LAYERS for head in range(HEADS)]


class Rows:
    def __init__(self, vitpatch: Vitpatch, options: argparse.Namespace):
        self.vitpatch, self.options = vitpatch, options
        self.linears = LINEARS[options.device]
        self.targets = TARGETS[options.precision]
        self.fp32 = options.precision == "fp32"

    def all(self) -> list[Row]:
        # Estimates are compared in fp32.
        return self.single_passes() + self.sweeps() + (self.estimates() if self.fp32 else [])

    def single_passes(self) -> list[Row]:
        """Matrix products, and the whole model"""
        rounds, seconds = self.options.rounds, self.options.seconds
        rows = []

        # The speed of AMX changes by a factor of 2 to 3 from time to time: more turns, and shorter ones. One run of `vitpatch
        # bench` is then for all four products.
        turns = (rounds, seconds) if self.fp32 else (2 * rounds - 1, seconds / 8)
        measured: dict[tuple, float] = {}  # lines of `vitpatch bench` that no row has taken yet

        def bench(line, *arguments):
            if self.fp32 or (line, *arguments) not in measured:
                medians = [entry["median"] for entry in self.vitpatch.bench(*arguments)["measurements"]]
                measured.update({(i, *arguments): median for i, median in enumerate(medians)})
            return measured.pop((line, *arguments))

        def single(name, group, images, line, peers, rounds, seconds, precision=self.options.precision):
            row = Row(name, lambda: bench(line, group, images, seconds, precision), peers, rounds, seconds)
            row.turns = "" if self.fp32 else f"{group} {images} {precision}"
            rows.append(row)

        # As `vitpatch bench` lists them
        shapes = [(2304, 768, False), (768, 768, False), (3072, 768, True), (768, 3072, False)]
        products = [
            (images, line, f"GEMM, M {images * TOKENS}, N {n}, K {k}{', GELU' if gelu else ''}",
             {"m": [images * TOKENS], "n": [n], "k": [k], "gelu": [gelu]})
            for images in self.targets["products"] for line, (n, k, gelu) in enumerate(shapes)]
        for images, line, name, shape in products:
            single(name, "gemm", images, line,
                   self.both_ways("F.linear", "Product", self.targets["products"][images], **shape), *turns)
        for images, line, name, shape in [] if self.fp32 else products:
            single(f"{name}, bf16", "gemm", images, line,
                   self.in_bf16("F.linear", "Product", 1, dtype=["bfloat16"], **shape), *turns, "bf16")
        for images in [IMAGES, 1]:
            name = f"forward pass, {images} image{'s' if images > 1 else ''}"
            target = self.targets["forward"] if images == IMAGES else None
            transformers = ("transformers", "Forward")
            choices = {"attention": ["sdpa", "eager"], "images": [images]}
            peers = self.both_ways(*transformers, target, **choices) + self.in_bf16(*transformers, **choices)
            single(name, "pass", images, 0, peers, rounds, seconds)
            if images == IMAGES and not self.fp32:
                single(f"{name}, bf16", "pass", images, 0, self.in_bf16(*transformers, **choices), rounds, seconds, "bf16")
        return rows

    def sweeps(self) -> list[Row]:
        rounds = self.options.rounds
        sweeps, heads = (rounds, min(3, rounds)) if self.fp32 else (min(3, rounds), min(2, rounds))
        rows = []

        def sweep(name, options, places, peers, rounds, trial=0):
            row = Row(f"{name}, {IMAGES} images", lambda: self.vitpatch.sweep(options, len(places)), peers, rounds)
            row.places, row.trial = places, trial
            rows.append(row)

        original = ("hooks, the original way", "HooksOriginal")
        cached = ("hooks with a cache", "HooksCached")
        lens = ("TransformerLens", "TransformerLens")
        # The run is to take less than half an hour beside twice as many peers: fewer settings, tried on 4 places each
        batches = [[IMAGES, 1], [1, 4, 12], [1, 12]] if self.fp32 else [[IMAGES, 1], [1, 4], [1, 4]]
        trials = [0, 24] if self.fp32 else [4, 4]
        each, few, many = ({"together": together} for together in batches)
        sdpa, eager = {"attention": ["sdpa"]}, {"attention": ["eager"]}
        sweep("12 windows of 3 layers", ["--site", "attn_out", "--window", "3"], WINDOWS, [
            Peer(*original, self.settings(**sdpa, **each), self.targets["original"]),
            Peer(*cached, self.settings(**sdpa, **few), self.targets["cached"]),
            *self.in_bf16(*original, **sdpa, **each),
            *self.in_bf16(*cached, **sdpa, **few),
        ], sweeps, trials[0])
        sweep("12 single layers", ["--site", "attn_out", "--window", "1"], SINGLE, [
            Peer(*lens, self.settings(**eager, **few), self.targets["single layers"]),
            *self.in_bf16(*lens, **eager, **few),
        ], sweeps, trials[0])
        name, layers, places = ("144 heads", [], EACH_HEAD) if self.fp32 or self.options.all_heads else (
            f"{len(SOME_HEADS)} of 144 heads (layers {' '.join(map(str, SOME_LAYERS))})",
            ["--layers", ",".join(map(str, SOME_LAYERS))], SOME_HEADS)
        sweep(name, ["--site", "z", *layers], places, [
            Peer(*lens, self.settings(**eager, **many), self.targets["heads"]),
            Peer(*cached, self.settings(**sdpa, **many), self.targets["heads cached"]),
            *self.in_bf16(*cached, **sdpa, **many),
        ], heads, trials[1])
        return rows

    def estimates(self) -> list[Row]:
        rounds, seconds = self.options.rounds, self.options.seconds
        rows = []
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
        if self.fp32:
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
