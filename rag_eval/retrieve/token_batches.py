"""Texts to vectors through an encoder: tokenized once, in batches of similar length under a budget of padded tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rag_eval.control_tokens import Inert
from rag_eval.parts import Allocate, Truncation, Vectors
from rag_eval.progress import progress
from rag_eval.retrieve.vectors import refuse_bad_rows, unit_rows

Features = dict[str, Any]  # "input_ids", "attention_mask": int64 (rows, tokens)
Rows = NDArray[np.int64]  # (n,), places of texts

_AT_ONCE = 8192  # texts tokenized together
_BUDGETS = {"cpu": 1024, "cuda": 65_536}  # tokens: what one layer makes of them stays in a core's cache, or keeps a whole GPU busy


@dataclass(frozen=True)
class Reading:
    """How a network reads one kind of text."""

    tokenizer: Any  # a fast one of transformers
    forward: Callable[[Features], torch.Tensor]  # to (rows, dim), on the device
    device: torch.device
    limit: int | None  # tokens after which a text is cut, special ones included; None cuts nothing
    prompt: str = ""  # stands before every text
    is_unit: bool = True  # whether rows are made unit; those that are compared by more than their direction are left as they are

    @cached_property
    def inert(self) -> Inert:
        """For texts that spell special tokens."""
        return Inert(self.tokenizer)


@dataclass(frozen=True)
class Limits:
    """How much the network is given at once."""

    token_budget: int  # tokens of a padded batch; a longer text gets a batch of its own
    max_rows: int

    @staticmethod
    def on(device: torch.device, token_budget: int | None, max_rows: int) -> Limits:
        """With the budget that suits the device where none is given."""
        return Limits(token_budget or _BUDGETS[device.type], max_rows)


@dataclass(frozen=True)
class Tokens:
    """Texts as the network reads them."""

    columns: Mapping[str, Sequence[NDArray[np.int32]]]  # what the tokenizer gives ("input_ids" and the like), one row a text, cut
    n_uncut: Rows  # tokens of each whole text, special ones included

    @cached_property
    def lengths(self) -> Rows:
        """Tokens of each text as it is read."""
        return np.array([len(row) for row in self.columns["input_ids"]], dtype=np.int64)

    @property
    def truncation(self) -> Truncation:
        """What was cut."""
        cut = self.n_uncut - self.lengths
        return Truncation(len(cut), int((cut > 0).sum()), float(cut.sum() / max(self.n_uncut.sum(), 1)))


def tokenized(reading: Reading, texts: Sequence[str]) -> Tokens:
    """Texts to tokens, special ones around each included, in order; what a text spells of them is text."""
    tokenizer = reading.tokenizer
    columns: dict[str, list[NDArray[np.int32]]] = {}
    n_uncut = np.zeros(len(texts), dtype=np.int64)
    n_special = tokenizer.num_special_tokens_to_add()
    for start in range(0, len(texts), _AT_ONCE):
        those = texts[start : start + _AT_ONCE]
        with reading.inert.reading(those):
            pieces = tokenizer(
                [reading.prompt + text for text in those],
                truncation=reading.limit is not None,
                max_length=reading.limit,
                return_overflowing_tokens=True,  # what was cut comes as further pieces: whole lengths cost no second pass
                return_attention_mask=False,
                verbose=False,
            )
        owners = np.array(pieces.pop("overflow_to_sample_mapping"), dtype=np.int64)
        is_first = np.diff(owners, prepend=-1) > 0
        for name, rows in pieces.items():
            kept = [np.array(row, dtype=np.int32) for row, first in zip(rows, is_first, strict=True) if first]
            columns.setdefault(name, []).extend(kept)
        n_own = np.array([len(row) for row in pieces["input_ids"]], dtype=np.int64) - np.where(is_first, 0, n_special)
        np.add.at(n_uncut, start + owners, n_own)
    return Tokens(columns, n_uncut)


def plan(lengths: Rows, limits: Limits) -> list[Rows]:
    """Batches of places, longest texts first, each of padded size rows x longest within the budget."""
    order = np.argsort(-lengths, kind="stable")
    batches = []
    start = 0
    while start < len(order):
        n_rows = max(1, min(limits.max_rows, limits.token_budget // max(int(lengths[order[start]]), 1)))
        batches.append(order[start : start + n_rows])
        start += n_rows
    return batches


def embed(reading: Reading, tokens: Tokens, limits: Limits, names: Sequence[str], allocate: Allocate) -> Vectors:
    """float32 (n, dim), in order, in the array that `allocate` gives; each batch is written as it comes.

    Args:
        reading: the network.
        tokens: of n texts, at least one.
        limits: how much the network is given at once.
        names: what each row embeds, n of them.
        allocate: a shape to the array.

    Raises:
        DataError: naming texts whose vector is zero or not finite.
    """
    batches = plan(tokens.lengths, limits)
    is_long = len(batches) > 1  # a single question is timed, and shows no bar
    vectors: Vectors | None = None
    with progress("embedding", len(names)) if is_long else nullcontext(lambda n: None) as advance:
        for rows, raw in _forwarded(reading, tokens, batches):
            if vectors is None:
                vectors = allocate((len(names), raw.shape[1]))
            found = raw.float().cpu().numpy()
            vectors[rows] = unit_rows(found) if reading.is_unit else found
            advance(len(rows))
    if vectors is None:
        raise ValueError("there are no texts to embed")
    refuse_bad_rows(vectors, names)
    return vectors


def _forwarded(reading: Reading, tokens: Tokens, batches: Sequence[Rows]) -> Iterator[tuple[Rows, torch.Tensor]]:
    """Each batch with its vectors, (rows, dim)."""

    def forward(rows: Rows) -> torch.Tensor:
        with torch.inference_mode():
            features = padded(tokens, rows, reading.tokenizer)
            return reading.forward({name: block.to(reading.device) for name, block in features.items()})

    many = _a_core_each if reading.device.type == "cpu" and len(batches) > 1 else _one_ahead
    return zip(batches, many(forward, batches), strict=True)


def _a_core_each(forward: Callable[[Rows], torch.Tensor], batches: Sequence[Rows]) -> Iterator[torch.Tensor]:
    """As many batches at once as there are threads, each on one: they never wait for each other, as threads of one layer do."""
    n_threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield from pool.map(forward, batches)
    finally:
        torch.set_num_threads(n_threads)


def _one_ahead(forward: Callable[[Rows], torch.Tensor], batches: Sequence[Rows]) -> Iterator[torch.Tensor]:
    """Each is given out when the next is on its way, so that an accelerator need not wait for the copy of its vectors."""
    ahead = forward(batches[0])
    for rows in batches[1:]:
        following = forward(rows)
        yield ahead
        ahead = following
    yield ahead


def padded(tokens: Tokens, rows: Rows, tokenizer: Any) -> dict[str, torch.Tensor]:
    """int64 (rows, longest) of each column and of the attention mask, filled up on the tokenizer's side."""
    lengths = tokens.lengths[rows]
    width = int(lengths.max())
    places = np.arange(width)
    is_real = places >= width - lengths[:, None] if tokenizer.padding_side == "left" else places < lengths[:, None]
    fills = {"input_ids": tokenizer.pad_token_id or 0, "token_type_ids": tokenizer.pad_token_type_id}  # hidden by the mask
    blocks = {"attention_mask": torch.from_numpy(is_real.astype(np.int64))}
    for name, column in tokens.columns.items():
        block = np.full((len(rows), width), fills[name], dtype=np.int64)
        block[is_real] = np.concatenate([column[row] for row in rows])
        blocks[name] = torch.from_numpy(block)
    return blocks
