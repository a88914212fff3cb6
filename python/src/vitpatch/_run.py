"""Runs the program and handles its output, progress, errors and Ctrl-C."""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import tty
import warnings
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ._binary import executable
from ._errors import VitpatchError, VitpatchWarning

_BAR = re.compile(r"(\d+)/(\d+) images")
_DRAWN = re.compile(r"[█░]* \d+/\d+ images")
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Output(NamedTuple):
    """A command's output."""

    stdout: str
    #: Without progress and warnings
    stderr: str


class _Bar(Protocol):
    n: int

    def update(self, n: int) -> object: ...
    def close(self) -> None: ...


def run(arguments: Sequence[str], *, progress: bool = False) -> Output:
    """Runs `vitpatch ARGUMENTS` to its end. Its warnings become `VitpatchWarning`s.

    Ctrl-C has the same effect as in a terminal: a sweep finishes the current wave and keeps the results so far. A
    second Ctrl-C ends it at once.

    Raises:
        VitpatchError: with the program's error message, if its exit code is not 0
        KeyboardInterrupt: after Ctrl-C, once the command has ended, with its last messages
    """
    command = [executable(), *arguments]
    process = _Process(command, progress)
    interrupted = process.finish()
    messages = process.messages()
    if interrupted:
        raise KeyboardInterrupt("\n".join(messages))
    others = []
    for message in messages:
        if message.startswith("Warning: "):
            warnings.warn(message.removeprefix("Warning: "), VitpatchWarning, stacklevel=3)
        else:
            others.append(message)
    code = process.popen.returncode
    if code != 0:
        raise VitpatchError(_sentence(others, code), command, code)
    return Output(process.stdout.decode(), "\n".join(others))


class _Process:
    """A running command. With progress, standard error is a pseudo-terminal, because the program draws its bar only on
    terminals; the bar's numbers go to tqdm."""

    def __init__(self, command: list[str], progress: bool) -> None:
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.bar: _Bar | None = None
        self.progress = progress
        environment = dict(os.environ)
        if progress:
            self.error, terminal = os.openpty()
            tty.setraw(terminal)
            environment.pop("NO_COLOR", None)
            environment["TERM"] = "xterm"
        else:
            self.error, terminal = os.pipe()
        try:
            # In its own session, so that Ctrl-C reaches it only through this process.
            self.popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=terminal,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            os.close(self.error)
            raise VitpatchError(f"{command[0]}: {error.strerror}", command) from error
        finally:
            os.close(terminal)

    def finish(self) -> bool:
        """Reads until the command has ended. Returns whether Ctrl-C was pressed during that time."""
        interrupted = False
        try:
            while True:
                try:
                    self._read()
                    self.popen.wait()
                    return interrupted
                except KeyboardInterrupt:
                    interrupted = True
                    self.popen.send_signal(signal.SIGINT)
        finally:
            if self.popen.poll() is None:
                self.popen.kill()
                self.popen.wait()
            if self.bar:
                self.bar.close()
            if self.popen.stdout:
                self.popen.stdout.close()
            os.close(self.error)

    def _read(self) -> None:
        assert self.popen.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(self.popen.stdout.fileno(), selectors.EVENT_READ, self.stdout)
            selector.register(self.error, selectors.EVENT_READ, self.stderr)
            while selector.get_map():
                for key, _ in selector.select():
                    try:
                        chunk = os.read(key.fd, 1 << 16)
                    except OSError:  # a pseudo-terminal whose other end was closed
                        chunk = b""
                    if not chunk:
                        selector.unregister(key.fd)
                        continue
                    key.data.extend(chunk)
                    if self.progress and key.data is self.stderr:
                        self._advance(chunk.decode(errors="replace"))

    def _advance(self, text: str) -> None:
        if not (counts := _BAR.findall(text)):
            return
        done, total = map(int, counts[-1])
        if self.bar is None:
            self.bar = _tqdm(total)
        if self.bar is None:
            self.progress = False
        else:
            self.bar.update(done - self.bar.n)

    def messages(self) -> list[str]:
        """The lines of standard error that are not the bar."""
        text = _ESCAPES.sub("", self.stderr.decode(errors="replace"))
        lines = re.split(r"[\r\n]+", text)
        return [line.rstrip() for line in lines if line.strip() and not _DRAWN.match(line)]


def _tqdm(total: int) -> _Bar | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about notebooks without widgets
            from tqdm.auto import tqdm
    except ImportError:
        return None
    bar: _Bar = tqdm(total=total, unit=" images", leave=False)
    return bar


def _sentence(lines: list[str], code: int) -> str:
    """The error message in standard error, without the usage text that follows it."""
    text = "\n".join(lines)
    if "Error: " in text:
        text = text[text.rindex("Error: ") + len("Error: ") :]
        return re.split(r"\n(?:Usage: |Help: | *See ')", text)[0].strip()
    if text:
        return text
    return f"vitpatch was ended by signal {-code}" if code < 0 else f"vitpatch ended with exit code {code}"
