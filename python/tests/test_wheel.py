"""The installed wheel: its contents, and the systems that it claims to support."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

import vitpatch
from vitpatch import _binary

WHEELS = sorted((ROOT / "dist").glob("vitpatch-*.whl"))


def files() -> set[str]:
    return {str(file) for file in importlib.metadata.files("vitpatch") or []}


def test_it_is_the_installed_one_with_its_program() -> None:
    assert {"vitpatch/bin/vitpatch", "vitpatch/bin/libOpenCL.so.1", "vitpatch/py.typed"} <= files()
    assert any("licenses/libssl" in name for name in files()) and any("swift.txt" in name for name in files())
    loaded = subprocess.run(["ldd", _binary._PACKAGED], capture_output=True, text=True, check=True).stdout
    assert re.search(r"libOpenCL.so.1 => .*/site-packages/vitpatch/bin/libOpenCL.so.1", loaded)


def test_the_tag_names_the_newest_glibc_interface() -> None:
    wheel = importlib.metadata.distribution("vitpatch").read_text("WHEEL") or ""
    found = re.search(r"Tag: py3-none-manylinux_2_(\d+)_(\w+)", wheel)
    assert found
    symbols = subprocess.run(["objdump", "-T", _binary._PACKAGED], capture_output=True, text=True, check=True).stdout
    assert int(found[1]) == max(int(minor) for minor in re.findall(r"GLIBC_2\.(\d+)", symbols))


@pytest.mark.skipif(not WHEELS, reason="there is no wheel in dist/")
def test_the_same_files_make_the_same_bytes(tmp_path: Path) -> None:
    """Built in another folder, later, with another umask"""
    bundle = tmp_path / "bundle"
    (bundle / "licenses").mkdir(parents=True)
    package = Path(vitpatch.__file__).parent / "bin"
    made = []
    for name in ("a", "b"):
        for file in ("vitpatch", "libOpenCL.so.1"):
            (bundle / file).write_bytes((package / file).read_bytes())
            (bundle / file).chmod(0o700 if name == "b" else 0o755)
        subprocess.run([sys.executable, ROOT / "scripts/wheel.py", bundle, tmp_path / name], check=True)
        made.append(next((tmp_path / name).iterdir()))
    assert made[0].name == made[1].name == WHEELS[-1].name
    assert made[0].read_bytes() == made[1].read_bytes()


def test_a_bundle_without_a_program_is_refused(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, ROOT / "scripts/wheel.py", tmp_path], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("wheel: ") and "is missing" in done.stderr
