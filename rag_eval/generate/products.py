"""Fastest implementation of linear layers on a CPU, selected by timing.

All implementations give the same numbers up to the order of summation. A CPU without bfloat16 instructions multiplies in float32 anyway,
and each sum is rounded to bfloat16 once at its end in every implementation.
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

READ, WRITE = 512, 16  # rows of the timed products for prefill and for decoding
MANY = 64  # number of rows from which the prefill implementation is used
CLEARLY = 1.25  # minimum speed-up over torch; less is noise
_N_REPEATS = 3
_MAX_FLOP, _MIN_OUT = 5e8, 64  # limits of one timed product
Way = Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]


@dataclass(frozen=True)
class Products:
    """Names of the implementations for prefill and decoding."""

    read: str
    write: str


def _by_onednn(rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")
    return found


def _in_float32(rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    return linear(rows.float(), weight.float(), None if bias is None else bias.float()).to(rows.dtype)


def ways(dtype: torch.dtype) -> Mapping[str, Way]:
    """Implementations available for a dtype, torch's own first."""
    own: dict[str, Way] = {"torch": linear}
    if dtype == torch.bfloat16:
        return own | {"float32": _in_float32}
    has_onednn = hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return own | {"onednn": _by_onednn} if dtype == torch.float32 and has_onednn else own


@cache
def seconds(dtype: torch.dtype, n_out: int, n_in: int, n_rows: int) -> Mapping[str, float]:
    """Time of a product by each implementation in seconds.

    Large products are timed in part and extrapolated; the minimum of several repetitions is used.

    Args:
        dtype: dtype of weights and inputs.
        n_out: output features.
        n_in: input features.
        n_rows: rows of the input.

    Returns:
        Seconds by implementation.
    """
    n_timed = min(n_out, max(_MIN_OUT, int(_MAX_FLOP / (2 * n_rows * n_in))))
    rows, weight = torch.ones(1, n_rows, n_in, dtype=dtype), torch.ones(n_timed, n_in, dtype=dtype)
    found = {name: float("inf") for name in ways(dtype)}
    for turn in range(_N_REPEATS + 1):
        for name, way in ways(dtype).items():
            begun = time.perf_counter()
            way(rows, weight, None)
            if turn:  # the first call compiles kernels
                found[name] = min(found[name], time.perf_counter() - begun)
    return {name: one * n_out / n_timed for name, one in found.items()}


def chosen(took: Mapping[str, float]) -> str:
    """The fastest implementation if it is clearly faster than torch's own, else torch's."""
    best = min(took, key=lambda name: took[name])
    return best if took["torch"] > CLEARLY * took[best] else "torch"


@torch.inference_mode()
def products_of(network: Any) -> Products:
    """Implementations for a network, selected by the shape of linear layers that contains most weights."""
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
    """Use the implementations in the linear layers of a network inside the context.

    Args:
        network: the network.
        by: the implementations.

    Yields:
        Nothing.
    """
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
    """Linear layers with the network's dtype; subclasses are excluded because they may compute something else."""
    return [one for one in network.modules() if type(one) is torch.nn.Linear and one.weight.dtype == network.dtype]
