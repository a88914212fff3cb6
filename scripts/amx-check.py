#!/usr/bin/env python3
"""Checks clang's code for kernels/gemm_amx.cl on a CPU with AMX, on a machine without one.

Compiles and assembles the kernel for Intel's Sapphire Rapids. Between the first tile instruction and the store of the
sums there may be no call, no vector register and no store to the stack; the loop has all of its products, and loads
every tile once. The tile model, and the C code that asks for AMX, are compiled for ARM, to show that they contain
nothing of x86-64.

usage: scripts/amx-check.py
Exits with 1 if any of this fails.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
CLANG = "clang-19"
# PARTS: name, tile products, tile loads in the loop
CASES = {2: ("bf16x3", 12, 8), 1: ("bf16", 4, 4)}

X86 = ["--target=x86_64-unknown-linux-gnu", "-march=sapphirerapids", "-mprefer-vector-width=512"]
# Headers, macros
KERNELS = {
    "gemm_amx": (["epilogue"], {"STRIPS": 7, "PANELS": 24, "KC": 768}),
    "attention_amx": (["query_tokens", "lanes"], {"QL": 16, "DH": 72, "QUERIES": 320, "KEYS": 128, "SCORE_BIAS": 1}),
}


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr[:2000]}")


def compile_kernel(kernel, parts, model, target, out):
    files, own = KERNELS[kernel]
    source = out.with_suffix(".cl")
    source.write_text("".join((ROOT / "kernels" / f"{name}.cl").read_text() for name in ("common", *files, "amx", kernel)))
    macros = {"V": 16, "WG": 1, "AMX_MODEL": model, "PARTS": parts, **own}
    run(CLANG, "-x", "cl", "-cl-std=CL1.2", "-O3", *target, "-Wall", "-Werror", "-Wno-unused-function", "-Wno-psabi",
        "-Xclang", "-finclude-default-header", *[f"-D{name}={value}" for name, value in macros.items()], "-S", source, "-o", out)


def faults(lines, products, loads):
    """The faults of the code between the first tile instruction and the store of the sums"""
    tiles = [i for i, line in enumerate(lines) if re.match(r"\s+(tilezero|tileloadd|tdpbf16ps)\b", line)]
    live = lines[tiles[0]:tiles[-1]]
    for pattern, what in [(r"\s+call", "a call"), (r".*%[xyz]mm", "a vector register"), (r".*Spill", "a store to the stack")]:
        if any(re.match(pattern, line) for line in live):
            yield f"{what} while sums are in tiles"
    found = [line for line in lines if re.match(r"\s+tdpbf16ps\b", line)]
    if len(found) != products:
        yield f"{len(found)} tile products, expected {products}"
    own = [line for line in lines if re.match(r"\s+tileloadd\b.*%tmm[4-7]", line)]
    if len(own) != loads:
        yield f"{len(own)} loads of factors, expected {loads}"
    for name in ("ldtilecfg", "tilerelease"):
        if sum(name in line for line in lines) != 1:
            yield f"not one {name}"


def main():
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        for parts, (name, products, loads) in CASES.items():
            text = work / "kernel.s"
            compile_kernel("gemm_amx", parts, 0, X86, text)
            run(CLANG, "--target=x86_64-unknown-linux-gnu", "-march=sapphirerapids", "-c", text, "-o", work / "kernel.o")
            wrong = list(faults(text.read_text().splitlines(), products, loads))
            failed = failed or bool(wrong)
            print(f"gemm_amx {name}: {'; '.join(wrong) or f'{products} products and {loads} loads a step, no call, no spill'}")
            compile_kernel("attention_amx", parts, 0, X86, work / "attention.s")
            print(f"attention_amx {name}: compiles without a warning")
            for kernel in KERNELS:
                compile_kernel(kernel, parts, 1, ["--target=aarch64-unknown-linux-gnu", "-emit-llvm"], work / "model.ll")
        run(CLANG, "--target=aarch64-unknown-linux-gnu", "-Wall", "-Werror", "-c", ROOT / "Sources/CAMX/amx.c",
            "-I", ROOT / "Sources/CAMX/include", "-o", work / "amx.o")
    sys.exit(failed)


if __name__ == "__main__":
    main()
