"""What a comparison was made on."""

import os
import platform
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

PACKAGES = ["torch", "transformers", "transformer_lens", "safetensors", "numpy"]


def facts(vitpatch, device: str) -> dict[str, str]:
    cpu = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines())
    cpu = {key.strip(): value.strip() for key, value in cpu.items()}
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    flags = cpu.get("flags", "").split()
    vectors = next((name for flag, name in [("avx512f", "AVX-512"), ("avx2", "AVX2")] if flag in flags), "")
    vectors += ", AMX" if "amx_bf16" in flags else ""
    result = {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{cpu.get('model name', platform.machine())} ({cpu.get('vendor_id', '?')} family "
                     f"{cpu.get('cpu family', '?')}, model {cpu.get('model', '?')}), {len(os.sched_getaffinity(0))} cores"
                     + (f", {vectors}" if vectors else "") + f", {memory:.0f} GiB",
        "load average before": f"{os.getloadavg()[0]:.2f}",
        "system": f"{platform.system()} {platform.release()}",
        "vitpatch": f"{vitpatch.version}, commit {commit()}, on {vitpatch.device}, {vitpatch.driver}",
        "GEMM": vitpatch.bench("gemm", 1, 0.01)["measurements"][0]["name"].removeprefix("gemm "),
        "precision": vitpatch.precision,
        "Python": platform.python_version(),
    }
    script = "import importlib.metadata as m, torch; " + "; ".join(f"print('{p}', m.version('{p}'))" for p in PACKAGES)
    script += "; print(torch.__config__.show()); print('capability', torch.backends.cpu.get_cpu_capability())"
    if device == "cuda":
        script += "; print('GPU', torch.cuda.get_device_name())"
    lines = subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    for line in lines:
        name, _, value = line.partition(" ")
        if name in PACKAGES or name == "GPU":
            result[name] = value
    # What PyTorch computes with, in its own words (torch.__config__)
    inside = [line.strip(" -") for line in lines if "Math Kernel Library" in line or "MKL-DNN" in line or "CPU capability" in line]
    result["PyTorch's libraries"] = "; ".join(inside)
    return result


def commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(Path(__file__).parent), *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "..")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (" with changes" if changed else "")
