"""Keys and values of the texts of a batch, one row a text, and the attention that reads them there.

All rows end in the same column, so that a new token of every text goes into one column; what stands before a shorter text is no part of
it. Texts that are read for the first time come one after another without any padding, and each attends to its own row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.cache_utils import Cache, DynamicLayer

ATTENTION = "rag_eval_slots"  # the name by which transformers finds `attend`
# Of what a network hands to its attention, this changes nothing here: positions are in the keys, nothing is dropped, no loss is taken.
_HARMLESS = {"position_ids", "use_cache", "dropout", "output_attentions", "output_router_logits"}


class Unsuited(Exception):
    """This network asks for an attention that is not computed here."""


@dataclass(frozen=True)
class Part:
    """A stretch of one text among those that are read together."""

    row: int
    begin: int  # column where the text begins
    column: int  # of the first token that is new; what stands before it was read earlier
    offset: int  # of that token among all that are read together
    n: int  # tokens that are new

    @property
    def end(self) -> int:
        return self.column + self.n


@dataclass(frozen=True)
class Step:
    """One more token of each of the first rows."""

    n_rows: int
    begin: int  # column before which none of them has anything
    column: int  # of the new tokens
    mask: torch.Tensor | None  # (n_rows, 1, 1, column + 1 - begin), added to the scores; None = no row has padding


class Slots(Cache):  # type: ignore[misc]
    """A cache of transformers in which `now` says where the next keys and values go. Every batch uses the same memory again."""

    def __init__(self, n_layers: int, n_tokens: int) -> None:
        """
        Args:
            n_layers: of the network.
            n_tokens: rows x columns of the largest batch.
        """
        super().__init__(layers=[DynamicLayer() for _ in range(n_layers)])  # by these transformers knows what kind of cache it is
        self.now: Sequence[Part] | Step = ()
        self._n_tokens, self._width = n_tokens, n_tokens
        self._begins: Sequence[int] = (0,)
        self._held: list[list[torch.Tensor]] = [[] for _ in range(n_layers)]  # keys and values of each layer: (heads, n_tokens, size)

    @property
    def dtype(self) -> torch.dtype:
        """Of what it holds, once it holds something."""
        return self._held[0][0].dtype

    def open(self, begins: Sequence[int], width: int) -> None:
        """Make room for a batch in place of the one before.

        Args:
            begins: column where each text begins.
            width: columns.
        """
        self._begins, self._width = begins, width
        for layer, held in enumerate(self._held):
            if held:
                self._clear(layer)

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *_: Any, **__: Any) -> tuple[torch.Tensor, ...]:
        """Store what is new, where `attend` reads it.

        Args:
            key_states: (n_rows, heads, 1, size) of a step, (1, heads, n tokens of all parts, size) of parts.
            value_states: likewise.
            layer_idx: whose they are.
        """
        if not self._held[layer_idx]:
            self._hold(layer_idx, [(one, one.shape[1]) for one in (key_states, value_states)])
        for kept, new in zip(self._kept(layer_idx), (key_states, value_states), strict=True):
            if isinstance(self.now, Step):
                kept[: self.now.n_rows, :, self.now.column] = new[:, :, 0]
            else:
                for part in self.now:
                    kept[part.row, :, part.column : part.end] = new[0, :, part.offset : part.offset + part.n]
        return key_states, value_states

    def begin_with(self, read: Slots, n: int, begins: Sequence[int]) -> None:
        """Let every row begin, each in a column of its own, with the n tokens that other slots hold."""
        for layer, held in enumerate(read._held):
            if not self._held[layer]:
                self._hold(layer, [(one, one.shape[0]) for one in held])
            for kept, given in zip(self._kept(layer), read._kept(layer), strict=True):
                for row, begin in enumerate(begins):
                    kept[row, :, begin : begin + n] = given[0, :, :n]

    def move(self, row: int, to: int, end: int) -> None:
        """Put one row, up to a column, in the place of another, whose text is over."""
        for layer in range(len(self._held)):
            for kept in self._kept(layer):
                kept[to, :, :end] = kept[row, :, :end]

    def attend(self, layer: int, query: torch.Tensor, scaling: float | None) -> torch.Tensor:
        """What queries (n_rows, heads, n, size) find, as (n_rows, n, heads, size)."""
        keys, values = self._kept(layer)
        if isinstance(self.now, Step):
            return _of_step(query, keys, values, self.now, scaling)
        found = [_of_part(query, keys, values, part, scaling) for part in self.now]
        return found[0] if len(found) == 1 else torch.cat(found, dim=1)

    def _hold(self, layer: int, like: Sequence[tuple[torch.Tensor, int]]) -> None:
        """Take the memory of a layer, for as many heads as are said and of the size, dtype and device of what is given."""
        self._held[layer] = [one.new_empty(n_heads, self._n_tokens, one.shape[-1]) for one, n_heads in like]
        self._clear(layer)

    def _clear(self, layer: int) -> None:
        """Put 0 before the texts: none attends to it, but what is no number would come through."""
        for kept in self._kept(layer):
            for row, begin in enumerate(self._begins):
                kept[row, :, :begin] = 0

    def _kept(self, layer: int) -> Iterator[torch.Tensor]:
        """Keys and values of a layer, as (n_rows, heads, columns, size)."""
        n_rows = len(self._begins)
        for held in self._held[layer]:
            n_heads, _, size = held.shape
            yield held.view(-1)[: n_rows * n_heads * self._width * size].view(n_rows, n_heads, self._width, size)


def attend(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attention_mask: torch.Tensor | None, **given: Any
) -> tuple[torch.Tensor, None]:
    """Attention for networks of transformers, over what the slots hold.

    Raises:
        Unsuited: if the network names no slots, or anything else that changes what attention is.
    """
    slots, scaling = given.pop("slots", None), given.pop("scaling", None)
    odd = sorted(name for name, value in given.items() if value is not None and value is not False and name not in _HARMLESS)
    if slots is None or odd or attention_mask is not None:
        raise Unsuited(f"its attention is given {', '.join(odd) or 'a mask or no slots'}")
    return slots.attend(module.layer_idx, query, scaling), None


def padding_mask(begins: Sequence[int], begin: int, column: int, dtype: torch.dtype) -> torch.Tensor | None:
    """What is added to the scores of columns from `begin` to `column` so that no text attends to what stands before it.

    Returns:
        (n_rows, 1, 1, n_columns); None where all begin alike. Half the least number of the dtype: a score added to it is none below.
    """
    if begin == max(begins):
        return None
    is_before = torch.arange(begin, column + 1) < torch.tensor(begins)[:, None]
    return torch.zeros(is_before.shape, dtype=dtype).masked_fill_(is_before, torch.finfo(dtype).min / 2)[:, None, None]


AttentionInterface.register(ATTENTION, attend)


def _of_step(query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, step: Step, scaling: float | None) -> torch.Tensor:
    """Query heads that share a key head stand side by side as if they were tokens, so that no key is copied."""
    keys, values = (one[: step.n_rows, :, step.begin : step.column + 1] for one in (keys, values))
    grouped = query.reshape(step.n_rows, keys.shape[1], -1, query.shape[3])
    found = scaled_dot_product_attention(grouped, keys, values, attn_mask=step.mask, scale=scaling)
    return found.reshape(step.n_rows, 1, query.shape[1], -1)


def _of_part(query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, part: Part, scaling: float | None) -> torch.Tensor:
    """Queries of nothing stand for what was read before: causal attention wants as many queries as keys."""
    keys, values = (one[part.row : part.row + 1, :, part.begin : part.end] for one in (keys, values))
    new, n_read = query[:, :, part.offset : part.offset + part.n], part.column - part.begin
    if n_read:
        new = torch.cat([new.new_zeros(1, new.shape[1], n_read, new.shape[3]), new], dim=2)
    is_grouped = keys.shape[1] != query.shape[1]
    found = scaled_dot_product_attention(new, keys, values, is_causal=True, scale=scaling, enable_gqa=is_grouped)
    return found[:, :, n_read:].transpose(1, 2)
