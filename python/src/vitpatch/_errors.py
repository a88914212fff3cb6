"""What goes wrong, as Python sees it."""

from __future__ import annotations

from collections.abc import Sequence


class VitpatchError(RuntimeError):
    """A command that failed, or results that cannot be read. Its text is the program's own sentence.

    Attributes:
        command: the command line, empty where no command was run
        returncode: 1, 64 for options that make no sense, negative for a signal; None where no command was run
    """

    def __init__(self, message: str, command: Sequence[str] = (), returncode: int | None = None) -> None:
        super().__init__(message)
        self.command = list(command)
        self.returncode = returncode


class VitpatchWarning(UserWarning):
    """What the program warns of."""


def missing(package: str, purpose: str) -> VitpatchError:
    """The error for an optional package that is not installed."""
    return VitpatchError(f"{purpose} needs the package {package}: pip install {package}")
