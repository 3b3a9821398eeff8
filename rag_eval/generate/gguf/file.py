"""The header of a GGUF file, read within its bounds: metadata, and where each tensor lies.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag_eval.errors import DataError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
ALIGNMENT = 32  # of tensors, where general.alignment does not say otherwise
STRING, ARRAY = 8, 9
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}  # type -> struct code


@dataclass(frozen=True)
class Tensor:
    """Where a tensor lies in the file, and in which format."""

    name: str
    shape: tuple[int, ...]  # rows first, as in torch; the file has it the other way round
    type: int  # number of the format, of gguf.GGMLQuantizationType
    start: int  # byte in the file


@dataclass(frozen=True)
class GGUF:
    """What the header says."""

    path: Path
    metadata: Mapping[str, Any]
    tensors: Mapping[str, Tensor]

    def data(self, tensor: Tensor, block: tuple[int, int]) -> NDArray[np.uint8]:
        """The bytes of a tensor, a row of it each, mapped from the file.

        Args:
            tensor: one of this file.
            block: how many values make a block of its format, and how many bytes that takes.

        Raises:
            DataError: if its rows are no whole blocks, or the file ends before it does.
        """
        n_values, n_bytes = block
        n_rows, width = prod(tensor.shape[:-1]), tensor.shape[-1]
        if width % n_values:
            raise DataError(f"{self.path}: {tensor.name} has rows of {width} values, its format blocks of {n_values}. Get the file again.")
        row_bytes = width // n_values * n_bytes
        end, size = tensor.start + n_rows * row_bytes, self.path.stat().st_size
        if end > size:
            raise DataError(f"{self.path}: {tensor.name} ends at byte {end:,}, the file at {size:,}. Get the file again.")
        whole: NDArray[np.uint8] = np.memmap(self.path, np.uint8, "r", tensor.start, (n_rows, row_bytes))
        return whole


def read(path: Path) -> GGUF:
    """The header of a GGUF file.

    Raises:
        DataError: if it is none, of another version, one of several parts, or its header is broken or cut short.
    """
    if not path.stat().st_size:
        raise DataError(f"{path}: expected a GGUF file, found an empty one. Get the file again.")
    try:
        return _header(path, _Cursor(np.memmap(path, np.uint8, "r").data))
    except (ValueError, EOFError, RecursionError) as error:
        raise DataError(f"{path}: the header of the GGUF file is broken or cut short ({error}). Get the file again.") from error


class _Cursor:
    """Reads on through bytes, and never past their end."""

    def __init__(self, data: memoryview) -> None:
        self.data, self.at = data, 0

    def bytes(self, n: int) -> bytes:
        end = self.at + n
        if end > len(self.data):
            raise EOFError(f"byte {end:,} of {len(self.data):,} wanted")
        found = self.data[self.at : end].tobytes()
        self.at = end
        return found

    def numbers(self, code: str, n: int) -> tuple[Any, ...]:
        return struct.unpack(f"<{n}{code}", self.bytes(n * struct.calcsize(f"<{code}")))

    def number(self, code: str) -> Any:
        return self.numbers(code, 1)[0]

    def text(self) -> str:
        return self.bytes(self.number("Q")).decode("utf-8")

    def value(self, kind: int) -> Any:
        if kind == STRING:
            return self.text()
        if kind == ARRAY:
            inner, n = self.number("I"), self.number("Q")
            return list(self.numbers(_SCALARS[inner], n)) if inner in _SCALARS else [self.value(inner) for _ in range(n)]
        if kind not in _SCALARS:
            raise ValueError(f"a value of the unknown type {kind}")
        return self.number(_SCALARS[kind])


def _header(path: Path, cursor: _Cursor) -> GGUF:
    if cursor.bytes(4) != MAGIC:
        raise DataError(f"{path}: expected a GGUF file, found one that does not begin with GGUF. Check generator.model.")
    if (version := cursor.number("I")) not in VERSIONS:
        raise DataError(f"{path}: GGUF version {version}; expected {' or '.join(map(str, VERSIONS))}, little-endian. Convert it anew.")
    n_tensors, n_values = cursor.numbers("Q", 2)
    metadata: dict[str, Any] = {}
    for _ in range(n_values):
        name = cursor.text()
        if name in metadata:
            raise ValueError(f"{name} stands in it twice")
        metadata[name] = cursor.value(cursor.number("I"))
    if (n_parts := metadata.get("split.count", 1)) not in (0, 1):
        raise DataError(f"{path}: one of {n_parts} parts of a model. Merge them with llama-gguf-split --merge.")
    tensors: dict[str, Tensor] = {}
    for _ in range(n_tensors):
        name, n_dimensions = cursor.text(), cursor.number("I")
        shape = tuple(reversed(cursor.numbers("Q", n_dimensions)))
        if name in tensors or not 1 <= n_dimensions <= 4 or not all(shape):
            raise ValueError(f"the tensor {name!r} of shape {list(shape)}")
        tensors[name] = Tensor(name, shape, *cursor.numbers("I", 1), *cursor.numbers("Q", 1))
    alignment = metadata.get("general.alignment", ALIGNMENT)
    if not isinstance(alignment, int) or alignment < 1:
        raise ValueError(f"general.alignment={alignment}")
    begin = -(-cursor.at // alignment) * alignment
    placed = {name: Tensor(name, one.shape, one.type, begin + one.start) for name, one in tensors.items()}
    return GGUF(path, metadata, placed)
