"""The products of linear layers on a CPU, by whichever of several ways is clearly the fastest there.

All give the same numbers but for the order of sums. A processor without instructions for bfloat16 multiplies it in float32 anyway, and a
sum is rounded to bfloat16 once, at its end, by either way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
from torch.nn.functional import linear

READ, WRITE = 512, 16  # rows that stand for reading prompts and for writing answers
MANY = 64  # rows from which on a product is one of reading
CLEARLY = 1.25  # times as fast; less is noise
_N_REPEATS = 3
_MAX_FLOP, _MIN_OUT = 5e8, 64  # of one product that is timed
Way = Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]


@dataclass(frozen=True)
class Products:
    """By which way, by name."""

    read: str
    write: str


def _by_onednn(rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")
    return found


def _in_float32(rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    return linear(rows.float(), weight.float(), None if bias is None else bias.float()).to(rows.dtype)


def ways(dtype: torch.dtype) -> Mapping[str, Way]:
    """Those that there are for numbers of a dtype, torch's own first."""
    own: dict[str, Way] = {"torch": linear}
    if dtype == torch.bfloat16:
        return own | {"float32": _in_float32}
    has_onednn = hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return own | {"onednn": _by_onednn} if dtype == torch.float32 and has_onednn else own


@cache
def seconds(dtype: torch.dtype, n_out: int, n_in: int, n_rows: int) -> Mapping[str, float]:
    """How long a product takes by each way, the best of a few turns; of a large one a part is timed."""
    n_timed = min(n_out, max(_MIN_OUT, int(_MAX_FLOP / (2 * n_rows * n_in))))
    rows, weight = torch.ones(1, n_rows, n_in, dtype=dtype), torch.ones(n_timed, n_in, dtype=dtype)
    found = {name: float("inf") for name in ways(dtype)}
    for turn in range(_N_REPEATS + 1):
        for name, way in ways(dtype).items():
            begun = time.perf_counter()
            way(rows, weight, None)
            if turn:  # kernels are made by the first
                found[name] = min(found[name], time.perf_counter() - begun)
    return {name: one * n_out / n_timed for name, one in found.items()}


def chosen(took: Mapping[str, float]) -> str:
    """The fastest way, where it is clearly faster than torch's own."""
    best = min(took, key=lambda name: took[name])
    return best if took["torch"] > CLEARLY * took[best] else "torch"


@torch.inference_mode()
def products_of(network: Any) -> Products:
    """What pays for a network on a CPU, judged by the shape of its linear layers that most weights are in."""
    sizes: dict[tuple[int, int], int] = {}
    for layer in _layers(network):
        shape = (layer.out_features, layer.in_features)
        sizes[shape] = sizes.get(shape, 0) + layer.weight.numel()
    if not sizes:
        return Products("torch", "torch")
    n_out, n_in = max(sizes, key=lambda shape: sizes[shape])
    return Products(*(chosen(seconds(network.dtype, n_out, n_in, n)) for n in (READ, WRITE)))


@contextmanager
def multiplying(network: Any, by: Products) -> Iterator[None]:
    """Let the linear layers of a network multiply so; afterwards they do it as before."""
    known = ways(network.dtype)
    layers = [] if by == Products("torch", "torch") else _layers(network)
    for layer in layers:
        layer.forward = partial(_product, layer, known[by.read], known[by.write])  # type: ignore[method-assign]
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _product(layer: torch.nn.Linear, read: Way, write: Way, rows: torch.Tensor) -> torch.Tensor:
    return (read if rows.numel() >= MANY * rows.shape[-1] else write)(rows, layer.weight, layer.bias)


def _layers(network: Any) -> list[torch.nn.Linear]:
    """Those whose weights have the network's dtype; a subclass may do something else."""
    return [one for one in network.modules() if type(one) is torch.nn.Linear and one.weight.dtype == network.dtype]
