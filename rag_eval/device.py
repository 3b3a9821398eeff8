"""The device a torch part runs on."""

from __future__ import annotations

from typing import Literal

import torch

from rag_eval.errors import ConfigError


def choose_device(device: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """CUDA when there is one and it is wanted. Raises ConfigError when it is demanded and there is none."""
    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise ConfigError("no CUDA device was found; use device=cpu or auto.")
    return torch.device("cuda" if has_cuda and device != "cpu" else "cpu")
