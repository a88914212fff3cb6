"""Finds the program."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path

from ._errors import VitpatchError

_PACKAGED = Path(__file__).parent / "bin" / "vitpatch"


def executable() -> str:
    """The path of the program: the variable VITPATCH_EXE if set, else the program in this package, else the first on
    PATH.

    Raises:
        VitpatchError: if there is none, or VITPATCH_EXE does not name an executable file
    """
    if named := os.environ.get("VITPATCH_EXE"):
        if not _is_program(Path(named)):
            raise VitpatchError(f"VITPATCH_EXE={named}: no such program")
        return named
    folders = os.environ.get("PATH", "").split(os.pathsep)
    for path in [_PACKAGED, *(Path(folder) / "vitpatch" for folder in folders if folder)]:
        # A script called vitpatch on PATH may be this package's own, which would search again.
        if _is_program(path) and _is_elf(path):
            return str(path)
    raise VitpatchError("the program vitpatch is neither in this package nor on PATH; VITPATCH_EXE may name it")


def version() -> str:
    """The package's version; `0+unknown` if it is not installed."""
    try:
        return importlib.metadata.version("vitpatch")
    except importlib.metadata.PackageNotFoundError:
        return "0+unknown"


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"
