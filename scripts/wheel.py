#!/usr/bin/env python3
"""Makes dist/vitpatch-VERSION-py3-none-manylinux_2_NN_ARCH.whl from the folder of `make bundle`: the package in python/
with the program and the OpenCL loader inside. usage: scripts/wheel.py BUNDLE [DIST]

A wheel is a zip archive with three metadata files (PEP 427). We write it with Python's own zipfile, so nothing is
downloaded, and the same files give the same bytes. manylinux_2_NN gives the glibc version needed (PEP 600): the newest
interface that program and loader use.
"""

from __future__ import annotations

import base64
import hashlib
import os
import platform
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
#: Fewer than manylinux allows: glibc's own libraries, and the OpenCL loader, which the wheel contains.
ALLOWED = {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libOpenCL.so.1"}
LOADERS = {"x86_64": "ld-linux-x86-64.so.2", "aarch64": "ld-linux-aarch64.so.1"}


def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: scripts/wheel.py BUNDLE [DIST]")
    bundle, dist = Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) == 3 else ROOT / "dist")
    program, loader = bundle / "vitpatch", bundle / "libOpenCL.so.1"
    for file in (program, loader):
        if not file.is_file():
            fail(f"{file} is missing; `make bundle` makes it")
    if "$ORIGIN" not in "".join(dynamic(program, "RUNPATH") + dynamic(program, "RPATH")):
        fail(f"{program} does not look for libOpenCL.so.1 beside itself")
    project = tomllib.loads((ROOT / "python/pyproject.toml").read_text())["project"]
    machine = platform.machine()
    version = output("sh", str(ROOT / "scripts/version.sh")).strip()
    tag = f"py3-none-manylinux_{glibc([program, loader], machine).replace('.', '_')}_{machine}"

    info = f"vitpatch-{version}.dist-info"
    package = ROOT / "python/src/vitpatch"
    files = {
        f"vitpatch/{p.relative_to(package)}": p.read_bytes()
        for p in package.rglob("*")
        if p.suffix in (".py", ".typed")
    }
    files["vitpatch/py.typed"] = b""
    files |= {"vitpatch/bin/vitpatch": program.read_bytes(), "vitpatch/bin/libOpenCL.so.1": loader.read_bytes()}
    for text in [*sorted((bundle / "licenses").iterdir()), bundle / "THIRD_PARTY.md", bundle / "LICENSE"]:
        if text.is_file():
            files[f"{info}/licenses/{text.name}"] = text.read_bytes()
    files[f"{info}/METADATA"] = metadata(project, version).encode()
    files[f"{info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: vitpatch scripts/wheel.py\nRoot-Is-Purelib: false\nTag: {tag}\n"
    ).encode()
    scripts = "".join(f"{name} = {target}\n" for name, target in project["scripts"].items())
    files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{scripts}".encode()
    files[f"{info}/RECORD"] = record(files, f"{info}/RECORD").encode()

    dist.mkdir(parents=True, exist_ok=True)
    wheel = dist / f"vitpatch-{version}-{tag}.whl"
    for old in dist.glob("vitpatch-*.whl"):
        old.unlink()
    write(wheel, files)
    print(f"{wheel}: {wheel.stat().st_size / 1e6:.0f} MB")


def write(wheel: Path, files: dict[str, bytes]) -> None:
    """Sorted names, no times, and permissions independent of the umask; the metadata files come last."""
    partial = wheel.with_suffix(".part")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(files, key=lambda name: (".dist-info/" in name, name)):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, so that the permissions below apply
            entry.external_attr = (0o100755 if name.startswith("vitpatch/bin/") else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name])
    partial.replace(wheel)


def record(files: dict[str, bytes], own: str) -> str:
    def digest(content: bytes) -> str:
        return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()

    lines = [f"{name},sha256={digest(content)},{len(content)}" for name, content in sorted(files.items())]
    return "\n".join([*lines, f"{own},,", ""])


def metadata(project: dict[str, Any], version: str) -> str:
    """Core metadata 2.1; the description is docs/python.md."""
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {project['name']}",
        f"Version: {version}",
        f"Summary: {project['description']}",
        f"Requires-Python: {project['requires-python']}",
    ]
    lines += [f"Classifier: {text}" for text in project["classifiers"]]
    lines += [f"Requires-Dist: {text}" for text in project["dependencies"]]
    for extra, needed in project["optional-dependencies"].items():
        lines.append(f"Provides-Extra: {extra}")
        lines += [f'Requires-Dist: {text}; extra == "{extra}"' for text in needed]
    description = (ROOT / "python" / str(project["readme"])).read_text()
    return "\n".join([*lines, "Description-Content-Type: text/markdown", "", description])


def glibc(binaries: list[Path], machine: str) -> str:
    """The newest glibc interface that the binaries use; fails if they need other libraries."""
    newest = (2, 17)
    for binary in binaries:
        if strangers := set(dynamic(binary, "NEEDED")) - ALLOWED - {LOADERS.get(machine, "")}:
            fail(f"{binary} needs {', '.join(sorted(strangers))}, which not every Linux has")
        for found in re.findall(r"GLIBC_(\d+)\.(\d+)", output("objdump", "-T", str(binary))):
            newest = max(newest, (int(found[0]), int(found[1])))
    return f"{newest[0]}.{newest[1]}"


def dynamic(binary: Path, kind: str) -> list[str]:
    """The values of one type of entry in the dynamic section."""
    return re.findall(rf"\({kind}\).*\[(.*)\]", output("readelf", "-d", str(binary)))


def output(*command: str) -> str:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"}
        ).stdout
    except FileNotFoundError:
        fail(f"{command[0]} is missing (Debian package binutils)")
    except subprocess.CalledProcessError as error:
        fail(f"{' '.join(command)}: {error.stderr.strip()}")


def fail(message: str) -> NoReturn:
    sys.exit(f"wheel: {message}")


if __name__ == "__main__":
    main()
