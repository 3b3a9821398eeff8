"""Loading an encoder: whether its files are whole, which number format pays, and faults of libraries in one line."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal

import torch
from safetensors import SafetensorError

from rag_eval.errors import DataError, EnvironmentFault

_SIZE = 256  # rows and columns of the matrices that are multiplied for the choice
_N_REPEATS = 5
_GAIN = 1.2  # bfloat16 is native where it is nearly twice as fast; less is noise


def resolved(dtype: Literal["auto", "float32", "bfloat16"], device: torch.device) -> Literal["float32", "bfloat16"]:
    """The dtype itself; for `auto` bfloat16 where this device multiplies it clearly faster than float32, judged once a process."""
    return dtype if dtype != "auto" else _faster_on(device.type)


@cache
def _faster_on(device: str) -> Literal["float32", "bfloat16"]:
    both = {dtype: torch.ones(_SIZE, _SIZE, dtype=dtype, device=device) for dtype in (torch.float32, torch.bfloat16)}
    for matrix in both.values():
        _multiply_s(matrix)  # kernels are made by the first call
    best = {dtype: min(_multiply_s(matrix) for _ in range(_N_REPEATS)) for dtype, matrix in both.items()}
    return "bfloat16" if best[torch.float32] > _GAIN * best[torch.bfloat16] else "float32"


def _multiply_s(matrix: torch.Tensor) -> float:
    start = time.perf_counter()
    (matrix @ matrix)[0, 0].item()  # waits for the device
    return time.perf_counter() - start


@contextmanager
def loading(key: str, model: str) -> Iterator[None]:
    """Says in one line what a library says in many: the model is at fault, or else the disk."""
    try:
        yield
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        said = f"{key}={model} could not be loaded: {' '.join(str(error).split())}"
        if getattr(error, "errno", None) is not None:
            raise EnvironmentFault(said) from error
        raise DataError(said) from error


def check_network(network: Any, tokenizer: Any, key: str, model: str) -> None:
    """Refuse a network whose weights are not finite, or that has no vector for some token.

    Raises:
        DataError: naming the first such weight, or both numbers of tokens.
    """
    for name, weight in network.named_parameters():
        if not bool(weight.isfinite().all()):
            raise DataError(f"{key}={model}: the weight {name} is not finite. Get the file again.")
    n_rows = network.get_input_embeddings().weight.shape[0]
    n_tokens = max(tokenizer.get_vocab().values()) + 1
    if n_tokens > n_rows:
        raise DataError(
            f"{key}={model}: the tokenizer has {n_tokens} tokens, the network vectors for {n_rows}. They do not belong together."
        )
