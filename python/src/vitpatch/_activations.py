"""Activations in a .safetensors file, memory-mapped."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._errors import VitpatchError

if TYPE_CHECKING:
    import numpy as np

_TYPES = {"F32": "<f4", "F16": "<f2", "F64": "<f8", "I64": "<i8", "I32": "<i4", "U8": "u1"}


class Activations(Mapping[str, "np.ndarray[Any, Any]"]):
    """The arrays of a file written by `vitpatch activations`, by name: `clean.SITE.LAYER` and `corrupted.SITE.LAYER`,
    float32 [images, T, D], [images, H, T, Dh] or [images, H, T, T]. They are memory-mapped, so read on access.

    Attributes:
        path: the file
        metadata: the file's metadata, hashes of model and data included
        ids: the image ids, in the order of the arrays' first axis

    Raises:
        VitpatchError: if the file is missing or is not a .safetensors file
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            size = self.path.stat().st_size
            with self.path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                if not 2 <= length <= size - 8:
                    raise VitpatchError(f"{path}: this is not a .safetensors file (its header would be {length} bytes)")
                header = json.loads(file.read(length))
        except OSError as error:
            raise VitpatchError(f"{path}: {error.strerror}") from error
        except ValueError as error:
            raise VitpatchError(f"{path}: this is not a .safetensors file ({error})") from error
        self.metadata: dict[str, str] = header.pop("__metadata__", {})
        self.ids: list[str] = json.loads(self.metadata.get("ids", "[]"))
        self._start = 8 + length
        self._tensors: dict[str, dict[str, Any]] = header

    def __getitem__(self, name: str) -> np.ndarray[Any, Any]:
        import numpy as np

        tensor = self._tensors[name]
        if tensor["dtype"] not in _TYPES:
            raise VitpatchError(f"{self.path}: {name} is {tensor['dtype']}; expected {', '.join(_TYPES)}")
        dtype, shape = np.dtype(_TYPES[tensor["dtype"]]), tuple(tensor["shape"])
        begin, end = tensor["data_offsets"]
        if end - begin != dtype.itemsize * int(np.prod(shape, dtype=np.int64)):
            raise VitpatchError(f"{self.path}: {name} has {end - begin} bytes, which do not match shape {list(shape)}")
        if begin == end:
            return np.empty(shape, dtype)
        if self._start + end > self.path.stat().st_size:
            raise VitpatchError(f"{self.path}: the file ends before {name} does")
        return np.memmap(self.path, dtype, mode="r", offset=self._start + begin, shape=shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __repr__(self) -> str:
        return f"<vitpatch.Activations {self.path}: {len(self)} arrays of {len(self.ids)} images>"


def save_activations(
    path: str | os.PathLike[str],
    arrays: Mapping[str, np.ndarray[Any, Any]],
    ids: Sequence[str],
    metadata: Mapping[str, str] | None = None,
) -> Activations:
    """Writes arrays for `sweep(patch_with="file:...")` and `search`, which patch them in image by image.

    Args:
        path: the file; an existing one is replaced
        arrays: by name, `patch.SITE.LAYER` (`embed` has layer 0): [images, T, D], or [images, H, T, Dh] for q, k, v
            and z; stored as float32, one after the other
        ids: the image ids, in the order of the arrays' first axis
        metadata: further metadata for the file

    Raises:
        VitpatchError: if an array's number of images differs from the number of ids
    """
    import numpy as np

    header: dict[str, Any] = {"__metadata__": {**(metadata or {}), "ids": json.dumps(list(ids), ensure_ascii=False)}}
    end = 0
    for name, array in arrays.items():
        if array.ndim == 0 or array.shape[0] != len(ids):
            raise VitpatchError(f"{name} is {list(array.shape)}; expected {len(ids)} images, one per id")
        begin, end = end, end + 4 * array.size
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    # Written beside the file and then renamed: the arrays may be memory-mapped from the file that is replaced.
    temporary = Path(f"{os.fspath(path)}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for array in arrays.values():
                for image in array:
                    file.write(np.ascontiguousarray(image, "<f4").tobytes())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise VitpatchError(f"{path}: {error.strerror}") from error
    return Activations(path)
