"""The package's errors and warnings."""

from __future__ import annotations

from collections.abc import Sequence


class VitpatchError(RuntimeError):
    """A command failed, or results cannot be read. The text is the program's own message.

    Attributes:
        command: the command line; empty if no command was run
        returncode: 1, 64 for a usage error, negative for a signal; None if no command was run
    """

    def __init__(self, message: str, command: Sequence[str] = (), returncode: int | None = None) -> None:
        super().__init__(message)
        self.command = list(command)
        self.returncode = returncode


class VitpatchWarning(UserWarning):
    """A warning of the program."""


def missing(package: str, purpose: str) -> VitpatchError:
    """The error for an optional package that is not installed."""
    return VitpatchError(f"{purpose} needs the package {package}: pip install {package}")
