"""Runs the program: its output, its progress, its errors, and Ctrl-C."""

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
    """What a command printed."""

    stdout: str
    #: Without progress and warnings
    stderr: str


class _Bar(Protocol):
    n: int

    def update(self, n: int) -> object: ...
    def close(self) -> None: ...


def run(arguments: Sequence[str], *, progress: bool = False) -> Output:
    """Runs `vitpatch ARGUMENTS` to its end. What it warns of becomes a `VitpatchWarning`.

    Ctrl-C ends the command as it does in a terminal: a sweep finishes the wave at work and keeps what is done. A second
    one ends it at once.

    Raises:
        VitpatchError: with the program's sentence, where it exits with anything but 0
        KeyboardInterrupt: after Ctrl-C, once the command has ended, with its last words
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
    """A running command. Standard error is a terminal of its own where progress is asked for, since the program draws
    its bar on terminals only; the bar's numbers go to tqdm."""

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
            # In a session of its own, so that Ctrl-C reaches it from here alone.
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
        """Reads until the command has ended. Returns whether Ctrl-C was pressed meanwhile."""
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
                    except OSError:  # a terminal whose other end was closed
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
            warnings.simplefilter("ignore")  # that a notebook has no widgets
            from tqdm.auto import tqdm
    except ImportError:
        return None
    bar: _Bar = tqdm(total=total, unit=" images", leave=False)
    return bar


def _sentence(lines: list[str], code: int) -> str:
    """The error among the lines of standard error, without the usage that follows it."""
    text = "\n".join(lines)
    if "Error: " in text:
        text = text[text.rindex("Error: ") + len("Error: ") :]
        return re.split(r"\n(?:Usage: |Help: | *See ')", text)[0].strip()
    if text:
        return text
    return f"vitpatch was ended by signal {-code}" if code < 0 else f"vitpatch ended with exit code {code}"
