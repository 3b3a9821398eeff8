"""How many processes a command was started as, by `accelerate launch` or `torchrun`, and which of them this one is."""

from __future__ import annotations

import os


def n_processes() -> int:
    """All of them, on every machine; 1 where nothing started several."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """The number of this one, from 0. The first runs the command; the others only train with it."""
    return int(os.environ.get("RANK", "0"))


def deals_weights_out() -> bool:
    """Whether accelerate was told that a process holds a part of the model's weights instead of all."""
    ways = ("FSDP", "DEEPSPEED", "MEGATRON_LM", "PARALLELISM_CONFIG")
    return any(os.environ.get(f"ACCELERATE_USE_{way}", "false").lower() == "true" for way in ways)
