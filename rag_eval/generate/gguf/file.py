"""Reader of GGUF headers with bounds checks: metadata and tensor locations.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian.
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
ALIGNMENT = 32  # default of general.alignment
STRING, ARRAY = 8, 9
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}  # type -> struct code


@dataclass(frozen=True)
class Tensor:
    """Location and format of a tensor in the file."""

    name: str
    shape: tuple[int, ...]  # row-major as in torch; reversed in the file
    type: int  # value of gguf.GGMLQuantizationType
    start: int  # byte offset in the file


@dataclass(frozen=True)
class GGUF:
    """Header of a file."""

    path: Path
    metadata: Mapping[str, Any]
    tensors: Mapping[str, Tensor]

    def data(self, tensor: Tensor, block: tuple[int, int]) -> NDArray[np.uint8]:
        """Bytes of a tensor, one row each, memory-mapped.

        Args:
            tensor: a tensor of this file.
            block: number of values and number of bytes of a block of its format.

        Returns:
            uint8 (n_rows, bytes per row).

        Raises:
            DataError: if rows do not consist of whole blocks, or the file is too short.
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
    """Read the header of a GGUF file.

    Args:
        path: path of the file.

    Returns:
        The header.

    Raises:
        DataError: if it is not a GGUF file, has another version, is one of several parts, or is broken or truncated.
    """
    if not path.stat().st_size:
        raise DataError(f"{path}: expected a GGUF file, found an empty one. Get the file again.")
    try:
        return _header(path, _Cursor(np.memmap(path, np.uint8, "r").data))
    except (ValueError, EOFError, RecursionError) as error:
        raise DataError(f"{path}: the header of the GGUF file is broken or cut short ({error}). Get the file again.") from error


class _Cursor:
    """Bounds-checked sequential reader of bytes."""

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
