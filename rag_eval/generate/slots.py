"""Key/value cache with one row per text, and the attention that reads it.

Texts are right-aligned: all rows end in the same column, so that a decoding step writes one column; columns before a shorter text are
masked. Prefilled texts are concatenated without padding, and each attends to its own row only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.cache_utils import Cache, DynamicLayer

ATTENTION = "rag_eval_slots"  # name of `attend` in transformers' attention registry
# Attention arguments without effect here: positions are already in the keys, there is no dropout, and no loss is computed.
_HARMLESS = {"position_ids", "use_cache", "dropout", "output_attentions", "output_router_logits"}


class Unsuited(Exception):
    """The network requires an attention that is not implemented here."""


@dataclass(frozen=True)
class Source:
    """A row whose text begins like another."""

    row: int
    begin: int  # column where its text begins


@dataclass(frozen=True)
class Part:
    """A segment of one text in a prefill call."""

    row: int
    begin: int  # column where the text begins
    column: int  # column of the first new token; earlier ones are in the cache
    offset: int  # index of the first new token in the call
    n: int  # number of new tokens
    source: Source | None = None  # row of an earlier part, from which the tokens before the new ones are copied

    @property
    def end(self) -> int:
        return self.column + self.n


@dataclass(frozen=True)
class Step:
    """A decoding step: one new token in each of the first rows."""

    n_rows: int
    begin: int  # first column used by any of the rows
    column: int  # column of the new tokens
    mask: torch.Tensor | None  # (n_rows, 1, 1, column + 1 - begin), added to the scores; None = no padding


class Slots(Cache):  # type: ignore[misc]
    """Cache of transformers whose attribute `now` states where the next keys and values go. Memory is reused for every batch."""

    def __init__(self, n_layers: int, n_tokens: int) -> None:
        """Create an empty cache.

        Args:
            n_layers: number of layers of the network.
            n_tokens: rows x columns of the largest batch.
        """
        super().__init__(layers=[DynamicLayer() for _ in range(n_layers)])  # transformers determines the kind of cache from these
        self.now: Sequence[Part] | Step = ()
        self._n_tokens, self._width = n_tokens, n_tokens
        self._begins: Sequence[int] = (0,)
        self._held: list[list[torch.Tensor]] = [[] for _ in range(n_layers)]  # keys and values of each layer: (heads, n_tokens, size)

    @property
    def dtype(self) -> torch.dtype:
        """dtype of the stored keys; requires that some are stored."""
        return self._held[0][0].dtype

    def open(self, begins: Sequence[int], width: int) -> None:
        """Start a new batch.

        Args:
            begins: column where each text begins.
            width: number of columns.
        """
        self._begins, self._width = begins, width
        for layer, held in enumerate(self._held):
            if held:
                self._clear(layer)

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *_: Any, **__: Any) -> tuple[torch.Tensor, ...]:
        """Store new keys and values, which `attend` reads.

        Args:
            key_states: (n_rows, heads, 1, size) in a step, (1, heads, total number of new tokens, size) in prefill.
            value_states: same shape.
            layer_idx: index of the layer.

        Returns:
            The new keys and values.
        """
        if not self._held[layer_idx]:
            self._hold(layer_idx, [(one, one.shape[1]) for one in (key_states, value_states)])
        for kept, new in zip(self._kept(layer_idx), (key_states, value_states), strict=True):
            if isinstance(self.now, Step):
                kept[: self.now.n_rows, :, self.now.column] = new[:, :, 0]
            else:
                for part in self.now:
                    if part.source is not None:
                        at, n = part.source.begin, part.column - part.begin
                        kept[part.row, :, part.begin : part.column] = kept[part.source.row, :, at : at + n]
                    kept[part.row, :, part.column : part.end] = new[0, :, part.offset : part.offset + part.n]
        return key_states, value_states

    def begin_with(self, read: Slots, lengths: Sequence[int]) -> None:
        """Copy a prefix into the rows of the batch.

        Args:
            read: cache with the prefix in row 0.
            lengths: number of its tokens that each text begins with.
        """
        for layer, held in enumerate(read._held):
            if not self._held[layer]:
                self._hold(layer, [(one, one.shape[0]) for one in held])
            for kept, given in zip(self._kept(layer), read._kept(layer), strict=True):
                for row, (begin, n) in enumerate(zip(self._begins, lengths, strict=True)):
                    kept[row, :, begin : begin + n] = given[0, :, :n]

    def move(self, row: int, to: int, end: int) -> None:
        """Copy a row over that of a finished text.

        Args:
            row: source row.
            to: target row.
            end: number of columns to copy.
        """
        for layer in range(len(self._held)):
            for kept in self._kept(layer):
                kept[to, :, :end] = kept[row, :, :end]

    def attend(self, layer: int, query: torch.Tensor, scaling: float | None) -> torch.Tensor:
        """Attention over the cached keys and values.

        Args:
            layer: index of the layer.
            query: (n_rows, heads, n, size).
            scaling: factor of the scores; None = 1 / sqrt(size).

        Returns:
            (n_rows, n, heads, size).
        """
        keys, values = self._kept(layer)
        if isinstance(self.now, Step):
            return _of_step(query, keys, values, self.now, scaling)
        found = [_of_part(query, keys, values, part, scaling) for part in self.now]
        return found[0] if len(found) == 1 else torch.cat(found, dim=1)

    def _hold(self, layer: int, like: Sequence[tuple[torch.Tensor, int]]) -> None:
        """Allocate the memory of a layer, with the size, dtype and device of the given tensors."""
        self._held[layer] = [one.new_empty(n_heads, self._n_tokens, one.shape[-1]) for one, n_heads in like]
        self._clear(layer)

    def _clear(self, layer: int) -> None:
        """Write 0 before the texts, because masked nan values would propagate."""
        for kept in self._kept(layer):
            for row, begin in enumerate(self._begins):
                kept[row, :, :begin] = 0

    def _kept(self, layer: int) -> Iterator[torch.Tensor]:
        """Keys and values of a layer, as views (n_rows, heads, columns, size)."""
        n_rows = len(self._begins)
        for held in self._held[layer]:
            n_heads, _, size = held.shape
            yield held.view(-1)[: n_rows * n_heads * self._width * size].view(n_rows, n_heads, self._width, size)


def attend(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attention_mask: torch.Tensor | None, **given: Any
) -> tuple[torch.Tensor, None]:
    """Attention function for networks of transformers, over the cache `slots`.

    Args:
        module: attention module.
        query: (n_rows, heads, n, size).
        key: ignored; keys are read from the cache.
        value: ignored; values are read from the cache.
        attention_mask: must be None.
        **given: `slots`, `scaling`, and arguments without effect.

    Returns:
        (n_rows, n, heads, size), and None for the attention weights.

    Raises:
        Unsuited: if there is no `slots`, or another argument that changes the attention.
    """
    slots, scaling = given.pop("slots", None), given.pop("scaling", None)
    odd = sorted(name for name, value in given.items() if value is not None and value is not False and name not in _HARMLESS)
    if slots is None or odd or attention_mask is not None:
        raise Unsuited(f"its attention is given {', '.join(odd) or 'a mask or no slots'}")
    return slots.attend(module.layer_idx, query, scaling), None


def padding_mask(begins: Sequence[int], begin: int, column: int, dtype: torch.dtype) -> torch.Tensor | None:
    """Additive mask of the columns before each text.

    Args:
        begins: column where each text begins.
        begin: first column of the mask.
        column: last column of the mask.
        dtype: dtype of the mask.

    Returns:
        (n_rows, 1, 1, n_columns) with half the minimum of the dtype in masked columns, so that adding a score does not overflow; None
        if no row has padding.
    """
    if begin == max(begins):
        return None
    is_before = torch.arange(begin, column + 1) < torch.tensor(begins)[:, None]
    return torch.zeros(is_before.shape, dtype=dtype).masked_fill_(is_before, torch.finfo(dtype).min / 2)[:, None, None]


AttentionInterface.register(ATTENTION, attend)


def _of_step(query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, step: Step, scaling: float | None) -> torch.Tensor:
    """Attention of a decoding step; query heads that share a key head are treated as tokens, so that keys are not copied."""
    keys, values = (one[: step.n_rows, :, step.begin : step.column + 1] for one in (keys, values))
    grouped = query.reshape(step.n_rows, keys.shape[1], -1, query.shape[3])
    found = scaled_dot_product_attention(grouped, keys, values, attn_mask=step.mask, scale=scaling)
    return found.reshape(step.n_rows, 1, query.shape[1], -1)


def _of_part(query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, part: Part, scaling: float | None) -> torch.Tensor:
    """Attention of a prefill segment."""
    keys, values = (one[part.row : part.row + 1, :, part.begin : part.end] for one in (keys, values))
    new, n_read = query[:, :, part.offset : part.offset + part.n], part.column - part.begin
    is_grouped = keys.shape[1] != query.shape[1]
    if n_read > part.n:  # a mask takes twice the time of causal attention for each pair of tokens, but needs no queries for cached tokens
        mask = _of_later(part.n, n_read, new)
        return scaled_dot_product_attention(new, keys, values, attn_mask=mask, scale=scaling, enable_gqa=is_grouped).transpose(1, 2)
    if n_read:  # causal attention needs as many queries as keys
        new = torch.cat([new.new_zeros(1, new.shape[1], n_read, new.shape[3]), new], dim=2)
    found = scaled_dot_product_attention(new, keys, values, is_causal=True, scale=scaling, enable_gqa=is_grouped)
    return found[:, :, n_read:].transpose(1, 2)


def _of_later(n: int, n_read: int, like: torch.Tensor) -> torch.Tensor:
    """Additive mask (n, n_read + n) in which each new token sees the cached ones and the new ones up to itself."""
    return torch.full((n, n_read + n), -torch.inf, dtype=like.dtype, device=like.device).triu_(n_read + 1)
