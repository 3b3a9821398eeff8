"""The device a torch part runs on, and which number format pays there."""

from __future__ import annotations

import time
from functools import cache
from typing import Literal

import torch

from rag_eval.errors import ConfigError

# Rows and columns of the matrices that are multiplied for the choice; on CUDA small ones are done before they are waited for.
_SIZE = {"cpu": 256, "cuda": 4096}
_N_REPEATS = 5
_GAIN = 1.2  # bfloat16 is native where it is nearly twice as fast; less is noise


def choose_device(device: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """Choose CUDA if it is available and `device` allows it.

    Args:
        device: "auto" = CUDA if available, else the processor.

    Returns:
        The device.

    Raises:
        ConfigError: if CUDA is required and not available.
    """
    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise ConfigError("no CUDA device was found; use device=cpu or auto.")
    return torch.device("cuda" if has_cuda and device != "cpu" else "cpu")


@cache
def faster_dtype(device: str) -> Literal["float32", "bfloat16"]:
    """bfloat16 where this kind of device multiplies it clearly faster than float32, judged once a process."""
    both = {dtype: torch.ones(_SIZE[device], _SIZE[device], dtype=dtype, device=device) for dtype in (torch.float32, torch.bfloat16)}
    for matrix in both.values():
        _multiply_s(matrix)  # kernels are made by the first call
    best = {dtype: min(_multiply_s(matrix) for _ in range(_N_REPEATS)) for dtype, matrix in both.items()}
    return "bfloat16" if best[torch.float32] > _GAIN * best[torch.bfloat16] else "float32"


def _multiply_s(matrix: torch.Tensor) -> float:
    start = time.perf_counter()
    (matrix @ matrix)[0, 0].item()  # waits for the device
    return time.perf_counter() - start
