"""Conversion of a GGUF file's weights to a float32 safetensors file, one tensor at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, quants
from numpy.typing import NDArray

from rag_eval.errors import DataError
from rag_eval.generate.gguf.architecture import as_transformers, names, shape
from rag_eval.generate.gguf.file import GGUF, Tensor

# Formats whose dequantisation is compared with ggml's in tests/generate/test_gguf_llama_cpp.py.
FORMATS = (
    "F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0",
    "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS",
)  # fmt: skip


def formats(file: GGUF) -> dict[str, int]:
    """Number of weights per format, most frequent first.

    Args:
        file: header of the file.

    Returns:
        Counts by format name.

    Raises:
        DataError: naming a weight of an unsupported format.
    """
    known = {one.value: one.name for one in GGMLQuantizationType}
    for tensor in file.tensors.values():
        if (name := known.get(tensor.type, str(tensor.type))) not in FORMATS:
            raise DataError(f"{file.path}: {tensor.name} is of the format {name}; supported: {', '.join(FORMATS)}. Use another file.")
    found = [known[tensor.type] for tensor in file.tensors.values()]
    return {name: found.count(name) for name in sorted(set(found), key=lambda one: (-found.count(one), one))}


def values(file: GGUF, tensor: Tensor) -> NDArray[np.float32]:
    """Dequantised values of a tensor.

    Args:
        file: header of the file.
        tensor: one of its tensors.

    Returns:
        float32, in the tensor's shape.

    Raises:
        DataError: if the file is too short, or a value is not finite.
    """
    kind = GGMLQuantizationType(tensor.type)
    found = quants.dequantize(file.data(tensor, GGML_QUANT_SIZES[kind]), kind).astype(np.float32, copy=False).reshape(tensor.shape)
    if not np.isfinite(found).all():
        raise DataError(f"{file.path}: the weight {tensor.name} is not finite. Get the file again.")
    return found


def check_shapes(file: GGUF, config: Mapping[str, Any], n_tokens: int) -> None:
    """Check that weights have the shapes implied by the metadata.

    Args:
        file: header of the file.
        config: configuration as in config.json.
        n_tokens: vocabulary size.

    Raises:
        DataError: naming the first weight with another shape.
    """
    for name, other in names(file).items():
        if (found := file.tensors[name].shape) != (wanted := shape(other, config, n_tokens)):
            raise DataError(f"{file.path}: {name} is {list(found)}, the metadata want {list(wanted)}. Get the file again.")


def write_weights(file: GGUF, path: Path) -> None:
    """Write all weights to a safetensors file.

    Args:
        file: header of the file.
        path: path of the new file.

    Raises:
        DataError: as for `values`.
    """
    layout: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, other in names(file).items():
        begin, end = end, end + 4 * prod(file.tensors[name].shape)
        layout[other] = {"dtype": "F32", "shape": list(file.tensors[name].shape), "data_offsets": [begin, end]}
    header = json.dumps(layout, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    with path.open("xb") as out:
        out.write(len(header).to_bytes(8, "little") + header)
        for name in names(file):
            out.write(as_transformers(values(file, file.tensors[name]), name, file).astype("<f4", copy=False).tobytes())
