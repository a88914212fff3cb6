"""Finding the program, and the package's command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import vitpatch
from vitpatch import VitpatchError, _binary


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Another program called vitpatch, in its own folder"""
    path = tmp_path / "vitpatch"
    shutil.copy("/bin/true", path)
    return path


def test_the_variable_comes_first(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITPATCH_EXE", str(program))
    assert vitpatch.executable() == str(program)
    monkeypatch.setenv("VITPATCH_EXE", str(program) + "-not")
    with pytest.raises(VitpatchError, match=r"VITPATCH_EXE=.*vitpatch-not: no such program"):
        vitpatch.executable()


def test_then_the_package_then_path(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VITPATCH_EXE", raising=False)
    monkeypatch.setenv("PATH", str(program.parent))
    assert vitpatch.executable() == str(_binary._PACKAGED)
    monkeypatch.setattr(_binary, "_PACKAGED", program.parent / "none")
    assert vitpatch.executable() == str(program)
    # The package's own command must not be taken for the program: it would run itself forever.
    program.write_text("#!/usr/bin/env python\n")
    with pytest.raises(VitpatchError, match="neither in this package nor on PATH"):
        vitpatch.executable()


@pytest.mark.parametrize("command", [["vitpatch"], [sys.executable, "-m", "vitpatch"]])
def test_the_command_is_the_program(command: list[str], tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *arguments], capture_output=True, text=True, env=environment, cwd=tmp_path)

    assert run("--version").stdout.strip() == vitpatch.__version__
    wrong = run("sweep", "--no-such-flag")
    assert wrong.returncode == 64
    assert "Unknown option '--no-such-flag'" in wrong.stderr
    environment["VITPATCH_EXE"] = "/nowhere"
    assert run("--version").stderr == "Error: VITPATCH_EXE=/nowhere: no such program\n"


def test_importing_needs_nothing_else() -> None:
    code = "import sys, vitpatch; print([m for m in ('numpy', 'pandas', 'matplotlib', 'tqdm') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
