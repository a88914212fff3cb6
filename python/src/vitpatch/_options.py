"""Converts keywords of Python functions to flags of the program."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TypeAlias

#: One value or several: the flag is repeated for each
Repeated: TypeAlias = "str | int | Iterable[str | int] | None"
#: A LIST: `3`, `"0-11"`, `"0+5,7"` or several of these, `range(6)` included
List: TypeAlias = "str | int | Iterable[str | int] | None"
#: A file or folder
PathText: TypeAlias = "str | os.PathLike[str]"

# Their items are joined by commas in a single flag.
_LISTS = {"layers", "heads", "tokens", "neurons"}


def flags(options: Mapping[str, object]) -> list[str]:
    """Converts `{"site": ["z", "q"], "layers": [0, 5], "logits": True, "limit": None}` to
    `["--site", "z", "--site", "q", "--layers", "0,5", "--logits"]`."""
    out: list[str] = []
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if value is None or value is False:
            continue
        if value is True:
            out.append(flag)
            continue
        texts = _texts(value)
        for text in [",".join(texts)] if name in _LISTS else texts:
            # A value that looks like a flag needs the form --flag=value.
            out += [f"{flag}={text}"] if text.startswith("-") else [flag, text]
    return out


def _texts(value: object) -> list[str]:
    if isinstance(value, (str, os.PathLike)):
        return [os.fspath(value)]
    if isinstance(value, Iterable):
        return [text for item in value for text in _texts(item)]
    return [str(value)]
