#!/usr/bin/env python3
"""What compilers for GPUs make of kernels/*.cl, on a machine without one, compared with a table in the repository.

clang makes PTX of a kernel, ptxas machine code of that, and nvdisasm text, for NVIDIA's sm_80 and sm_90; clang makes AMD's
gfx90a and gfx1100 itself. The table has, of each kernel: registers, bytes of stack and of spills, local memory, work-groups
that share a multiprocessor (NVIDIA), loads and stores of 16 bytes, and the share of arithmetic (FFMA, HMMA, HGMMA) in the loop
that has most of it. A driver has another front end than clang: a fault found here is a strong hint, its absence no proof.

usage: scripts/static-check.py [--update] [--tools FOLDER]
ends with 1 where the table differs, a kernel spills, or one that should load 16 bytes at a time does not
"""
import argparse
import difflib
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
KERNELS = ROOT / "kernels"
TABLE = ROOT / "docs" / "static-check.txt"
CLANG = "clang-19"
LIBRARIES = pathlib.Path("/usr/lib/clc")
NVIDIA = ["sm_80", "sm_90"]
AMD = ["gfx90a", "gfx1100"]
# What a file has in front of it, beside common.cl
HEADS = {"bias_activation": ["epilogue"], "activation_backward": ["epilogue"], "attention_backward_group": ["query_tokens", "attention_tiles", "backward_arguments"],
         "attention_group": ["query_tokens", "attention_tiles"], "key_tokens": ["query_tokens", "lanes"], "gemm_tiled": ["epilogue", "copy_async"], "gemm_mma": ["epilogue", "copy_async", "mma", "mma_layout"],
         "gemm_wgmma": ["epilogue", "copy_async", "mma", "mma_layout", "wgmma"], "attention_mma": ["mma", "query_tokens"]}
# Inline PTX, and the registers that the provider allows them (TensorCoreGEMM.swift, Attention.swift)
TENSOR_CORES = {"gemm_mma", "attention_mma"}
MAX_REGISTERS = 128
# Compiled as PTX for sm_90, whose comments `//!` then become instructions of sm_90a (Retargeting.swift)
RETARGETED = {"gemm_wgmma"}
# The macros of a GPU's Tuning
GPU = {"V": 4, "WG": 64}


def tiled(rows, columns, depth, item_rows, item_columns, activation=0, copies=0):
    macros = {"BM": rows, "BN": columns, "BK": depth, "TM": item_rows, "TN": item_columns, "ACTIVATION": activation, "ASYNC": copies}
    return ("gemm_tiled", f"{rows}x{columns} k{depth}" + (f" act {activation}" if activation else ""), macros,
            rows // item_rows * (columns // item_columns))


def tensor(mode, name, rows, columns, warp_rows, warp_columns):
    macros = {"MODE": mode, "BM": rows, "BN": columns, "WM": warp_rows, "WN": warp_columns, "ACTIVATION": 1, "ASYNC": 1}
    return ("gemm_mma", f"{rows}x{columns} {name}", macros, rows // warp_rows * (columns // warp_columns) * 32)


def warpgroups(mode, name, rows, columns):
    macros = {"MODE": mode, "BM": rows, "BN": columns, "WGMMA_N": columns, "STAGES": 3, "ACTIVATION": 1, "ASYNC": 1}
    return ("gemm_wgmma", f"{rows}x{columns} {name}", macros, rows * 2)


# The tiles of a family (Tuning.swift)
TILES = {
    "sm": [tiled(256, 128, 16, 16, 8, copies=1), tiled(256, 128, 16, 16, 8, 1, copies=1), tiled(128, 64, 16, 8, 8, copies=1),
           tiled(64, 64, 16, 8, 8, copies=1), tiled(32, 32, 16, 4, 4, copies=1)],
    "gfx": [tiled(128, 128, 8, 8, 8), tiled(128, 128, 8, 8, 8, 1), tiled(64, 64, 8, 8, 8), tiled(32, 32, 16, 4, 4)],
}
# file, what tells it from others of that file, macros, work-items of a group
CASES = [
    *[("attention_group", f"Dh {width}", {"DH": width, "BQ": 64}, 128) for width in (64, 80)],
    ("attention_group", "Dh 64 biased", {"DH": 64, "BQ": 64, "SCORE_BIAS": 1}, 128),
    ("attention_mma", "Dh 64 bf16x3 biased", {"MODE": 1, "DH": 64, "WARPS": 4, "KEYS": 32, "SCORE_BIAS": 1}, 128),
    ("layernorm", "", {}, 64), ("residual", "", {}, 64), ("slices", "", {}, 64), ("embed", "", {}, 64),
    ("bias_activation", "", {}, 64), ("bias_activation", "act 1", {"ACTIVATION": 1}, 64),
    tensor(1, "bf16x3", 128, 128, 64, 32), tensor(2, "bf16", 128, 128, 64, 32), tensor(3, "fp16", 128, 128, 64, 32),
    tensor(4, "fp16x3", 128, 64, 32, 32), tensor(5, "tf32", 128, 128, 64, 32), tensor(1, "bf16x3", 64, 64, 32, 32),
    warpgroups(1, "bf16x3", 128, 256), warpgroups(2, "bf16", 128, 256), warpgroups(3, "fp16", 128, 256),
    warpgroups(4, "fp16x3", 128, 128), warpgroups(1, "bf16x3", 64, 64),
    ("attention_mma", "Dh 64 bf16x3", {"MODE": 1, "DH": 64, "WARPS": 4, "KEYS": 32}, 128),
    ("attention_mma", "Dh 64 bf16", {"MODE": 2, "DH": 64, "WARPS": 8, "KEYS": 64}, 256),
    *[("attention_backward_group", f"Dh {width}", {"DH": width, "BQ": 32}, 64) for width in (64, 80)],
    ("layernorm_backward", "", {}, 64), ("activation_backward", "", {}, 64), ("contract", "", {}, 64),
    ("key_tokens", "Dh 64", {"DH": 64, "QL": 1, "ITEMS": 64}, 64), ("metric_gradient", "", {}, 64), ("pool", "", {}, 64),
    ("metrics", "", {}, 64), ("noise", "", {"WG": 256}, 256), ("peak", "", {}, 128),
]
# Kernels whose values lie together, so that they load and store 16 bytes at a time
WIDE = {"layernorm_rows", "residual_add", "residual_copy", "residual_blend",
        "residual_difference", "slices_copy", "layernorm_backward", "activation_backward", "bias_activation", "gemm_tiled", "patches",
        "noise_deviation", "peak_copy"}
# sin and cos of large arguments, which do not occur, want a table on the stack; key_tokens has its rows there.
MAY_USE_STACK = {"noise_add", "key_tokens"}
# Runs once a layer, where single keys are estimated, and has two rows of a head.
MAY_SPILL = {"key_tokens"}


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr[:2000]}")
    return done.stdout + done.stderr


def compile_source(file, macros, target, processor, library, out):
    source = out.with_suffix(".cl")
    parts = ["common"] + HEADS.get(file, []) + [file]
    source.write_text("".join((KERNELS / f"{part}.cl").read_text() for part in parts))
    run(CLANG, "-x", "cl", "-cl-std=CL1.2", "-O3", "-w", f"--target={target}", *processor, "-Xclang",
        "-finclude-default-header", "-Xclang", "-mlink-builtin-bitcode", "-Xclang", library,
        *[f"-D{name}={value}" for name, value in {**GPU, **macros}.items()], "-S", source, "-o", out)
    return out


def arithmetic_share(lines):
    """The share of FFMA, HMMA and HGMMA among a loop's instructions, in the loop with most of them; 0 without any."""
    labels, best = {}, (0, 0)
    names = []
    for line in lines:
        label = re.match(r"\s*\.(L_x_\d+):", line)
        if label:
            labels[label.group(1)] = len(names)
        found = re.match(r"\s*/\*[0-9a-f]{4,}\*/\s+(?:\{\s*)?(?:@!?U?P\w+\s+)?([A-Z][\w.]*)", line)
        if not found:
            continue
        names.append(found.group(1))
        jump = re.search(r"\bBRA\b.*\(\.(L_x_\d+)\)", line)
        if jump and jump.group(1) in labels:
            body = names[labels[jump.group(1)]:]
            count = sum(name.startswith(("FFMA", "HMMA", "HGMMA")) for name in body)
            best = max(best, (count, round(100 * count / len(body))))
    return best[1] if best[0] >= 8 else 0


def nvidia(case, processor, tools, work):
    file, variant, macros, items = case
    ptx = compile_source(file, macros, "nvptx64-nvidia-nvcl",
                         ["-Xclang", "-target-cpu", "-Xclang", processor, "-Xclang", "-target-feature", "-Xclang", "+ptx80"],
                         LIBRARIES / "nvptx64--nvidiacl.bc", work / "kernel.ptx")
    binary = work / "kernel.cubin"
    if file in RETARGETED:
        run(tools / "ptxas", f"-arch={processor}", ptx, "-o", work / "kernel.cubin")
        ptx.write_text(re.sub(r"(?m)^\.target \w+", f".target {processor}a", ptx.read_text()).replace("//!", ""))
        processor += "a"
    limit = [f"-maxrregcount={MAX_REGISTERS}"] if file in TENSOR_CORES else []
    log = run(tools / "ptxas", f"-arch={processor}", *limit, "-v", ptx, "-o", binary)
    if "wgmma.mma_async instructions are serialized" in log:
        sys.exit(f"{file} {variant}: {log}")
    text = run(tools / "nvdisasm", "-c", binary)
    for name, part in re.findall(r"Compiling entry function '(\w+)'(.*?)(?=Compiling entry function|\Z)", log, re.S):
        def number(pattern):
            found = re.search(pattern, part)
            return int(found.group(1)) if found else 0
        registers, local = number(r"Used (\d+) registers"), number(r"(\d+) bytes smem")
        stack, spills = number(r"(\d+) bytes stack"), number(r"(\d+) bytes spill stores")
        body = text[text.index(f".text.{name}:"):].split("\n.section", 1)[0].split("\n//-----", 1)[0].splitlines()
        code = "\n".join(body)
        rounded = -(-registers // 8) * 8 * (-(-items // 32) * 32)
        groups = min(65536 // rounded, 2048 // items, (164 if processor == "sm_80" else 228) * 1024 // (local + 1024), 32)
        yield (processor, name, variant, registers, stack, spills, local, groups,
               len(re.findall(r"\bLDG\.E\.128", code)), len(re.findall(r"\bSTG\.E\.128", code)),
               arithmetic_share(body))


def amd(case, processor, work):
    file, variant, macros, _ = case
    text = compile_source(file, macros, "amdgcn-amd-amdhsa", ["-nogpulib", f"-mcpu={processor}"],
                          LIBRARIES / "amdgcn--amdhsa.bc", work / "kernel.s").read_text()
    for part in re.split(r"^  - \.agpr_count|^  - \.args", text[text.index("amdhsa.kernels:"):], flags=re.M)[1:]:
        def number(name):
            found = re.search(rf"\.{name}:\s+(\d+)", part)
            return int(found.group(1)) if found else 0
        found = re.search(r"^    \.name:\s+(\w+)", part, re.M)
        if not found:
            continue
        name = found.group(1)
        code = text[text.index(f"\n{name}:"):].split(".Lfunc_end", 1)[0]
        yield (processor, name, variant, number("vgpr_count"), number("private_segment_fixed_size"),
               4 * number("vgpr_spill_count"), number("group_segment_fixed_size"), "",
               len(re.findall(r"global_load_(?:dwordx4|b128)", code)),
               len(re.findall(r"global_store_(?:dwordx4|b128)", code)), "")


def find_tools(folder):
    """The folder with ptxas and nvdisasm, from PyPI where they are not there yet."""
    def places():
        return {path.name: path for path in folder.rglob("*") if path.name in ("ptxas", "nvdisasm") and path.is_file()}
    if len(places()) < 2:
        run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder,
            "nvidia-cuda-nvcc==13.5.37", "nvidia-cuda-nvdisasm==13.5.37")
    found = places()
    if len({path.parent for path in found.values()}) != 1:
        sys.exit(f"ptxas and nvdisasm are not in one folder under {folder}")
    return found["ptxas"].parent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--update", action="store_true", help="write the table instead of comparing with it")
    parser.add_argument("--tools", type=pathlib.Path, default=ROOT / ".build" / "gpu-tools")
    options = parser.parse_args()
    tools = find_tools(options.tools)
    rows, faults = [], []
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        for processor in NVIDIA + AMD:
            for case in TILES["gfx" if processor in AMD else "sm"] + CASES:
                if processor in AMD and case[0] in TENSOR_CORES | RETARGETED:
                    continue
                if processor != "sm_90" and case[0] in RETARGETED:
                    continue
                rows += nvidia(case, processor, tools, work) if processor in NVIDIA else amd(case, processor, work)
    for processor, name, variant, _, stack, spills, local, _, loads, stores, _ in rows:
        title = f"{processor} {name} {variant}".strip()
        # A limit of registers costs attention a few spills and is faster all the same (H100).
        limited = "bf16" in variant
        most_spills, most_stack = (64 if "attention" in name and limited else 0), (16 if limited else 0)
        if spills > most_spills and name not in MAY_SPILL or (stack > most_stack and not spills and name not in MAY_USE_STACK):
            faults.append(f"{title}: {stack} bytes of stack, {spills} of spills")
        if local > 48 * 1024:
            faults.append(f"{title}: {local} bytes of local memory, more than NVIDIA's OpenCL has")
        if name in WIDE and not loads:
            faults.append(f"{title}: no load of 16 bytes")
    head = ("device", "kernel", "variant", "registers", "stack", "spills", "local", "groups", "load16", "store16", "math %")
    widths = [max(len(str(row[column])) for row in [head] + rows) for column in range(len(head))]
    table = "".join(
        "  ".join(str(value).ljust(width) if column < 3 else str(value).rjust(width)
                  for column, (value, width) in enumerate(zip(row, widths))).rstrip() + "\n" for row in [head] + rows)
    if options.update:
        TABLE.write_text(table)
    before = TABLE.read_text() if TABLE.exists() else ""
    difference = list(difflib.unified_diff(before.splitlines(), table.splitlines(), str(TABLE), "now", lineterm="", n=0))
    print("\n".join(difference))
    for fault in faults:
        print("FAILED", fault)
    sys.exit(bool(difference or faults))


if __name__ == "__main__":
    main()
