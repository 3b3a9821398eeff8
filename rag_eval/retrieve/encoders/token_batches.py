"""Batched encoding: texts are tokenized once and batched by similar length under a budget of padded tokens."""

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

from rag_eval.models.control_tokens import Inert
from rag_eval.progress import progress
from rag_eval.protocols import Allocate, Vectors
from rag_eval.retrieve.encoders.vectors import refuse_bad_rows, unit_rows
from rag_eval.types import Truncation

Features = dict[str, Any]  # "input_ids", "attention_mask": int64 (rows, tokens)
Rows = NDArray[np.int64]  # (n,), indices of texts

_AT_ONCE = 8192  # texts per call of the tokenizer
_BUDGETS = {"cpu": 1024, "cuda": 65_536}  # tokens per batch: activations of a layer fit a core's cache, or saturate a GPU


@dataclass(frozen=True)
class TextReader:
    """How a network encodes one kind of text."""

    tokenizer: Any  # a fast one of transformers
    forward: Callable[[Features], torch.Tensor]  # returns (rows, dim) on the device
    device: torch.device
    limit: int | None  # maximum number of tokens including special ones; None = no truncation
    prompt: str = ""  # text before every input
    is_unit: bool = True  # whether rows are normalised to unit length

    @cached_property
    def inert(self) -> Inert:
        """Makes the tokenizer treat special tokens spelled in a text as text."""
        return Inert(self.tokenizer)


@dataclass(frozen=True)
class Limits:
    """Maximum batch size."""

    token_budget: int  # tokens of a padded batch; a longer text is a batch of its own
    max_rows: int

    @staticmethod
    def on(device: torch.device, token_budget: int | None, max_rows: int) -> Limits:
        """Limits for a device.

        Args:
            device: the device.
            token_budget: tokens of a padded batch; None = a default for the device.
            max_rows: texts per batch.

        Returns:
            The limits.
        """
        return Limits(token_budget or _BUDGETS[device.type], max_rows)


@dataclass(frozen=True)
class TokenIds:
    """Tokenized texts."""

    columns: Mapping[str, Sequence[NDArray[np.int32]]]  # tokenizer outputs ("input_ids", ...), one truncated row per text
    n_uncut: Rows  # tokens of each text before truncation, including special ones

    @cached_property
    def lengths(self) -> Rows:
        """Number of tokens of each text after truncation."""
        return np.array([len(row) for row in self.columns["input_ids"]], dtype=np.int64)

    @property
    def truncation(self) -> Truncation:
        """Statistics of the truncation."""
        cut = self.n_uncut - self.lengths
        return Truncation(len(cut), int((cut > 0).sum()), float(cut.sum() / max(self.n_uncut.sum(), 1)))


def tokenized(reading: TextReader, texts: Sequence[str]) -> TokenIds:
    """Tokenize texts, in order, with special tokens added; special tokens spelled in a text are treated as text."""
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
                return_overflowing_tokens=True,  # gives the full length without a second pass
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
    return TokenIds(columns, n_uncut)


def plan(lengths: Rows, limits: Limits) -> list[Rows]:
    """Batches of text indices, longest texts first, with padded size (rows x longest) within the budget."""
    order = np.argsort(-lengths, kind="stable")
    batches = []
    start = 0
    while start < len(order):
        n_rows = max(1, min(limits.max_rows, limits.token_budget // max(int(lengths[order[start]]), 1)))
        batches.append(order[start : start + n_rows])
        start += n_rows
    return batches


def embed(reading: TextReader, tokens: TokenIds, limits: Limits, names: Sequence[str], allocate: Allocate) -> Vectors:
    """Encode texts batch by batch into an allocated array.

    Args:
        reading: the network and its settings.
        tokens: n tokenized texts, at least one.
        limits: maximum batch size.
        names: name of each text, for messages.
        allocate: function of a shape that returns the array.

    Returns:
        float32 (n, dim), in order.

    Raises:
        DataError: naming texts whose vector is zero or not finite.
        ValueError: if there are no texts.
    """
    batches = plan(tokens.lengths, limits)
    is_long = len(batches) > 1  # no progress bar for a single question, which may be timed
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


def _forwarded(reading: TextReader, tokens: TokenIds, batches: Sequence[Rows]) -> Iterator[tuple[Rows, torch.Tensor]]:
    """Each batch with its vectors, (rows, dim)."""

    def forward(rows: Rows) -> torch.Tensor:
        with torch.inference_mode():
            features = padded(tokens, rows, reading.tokenizer)
            return reading.forward({name: block.to(reading.device) for name, block in features.items()})

    many = _a_core_each if reading.device.type == "cpu" and len(batches) > 1 else _one_ahead
    return zip(batches, many(forward, batches), strict=True)


def _a_core_each(forward: Callable[[Rows], torch.Tensor], batches: Sequence[Rows]) -> Iterator[torch.Tensor]:
    """Run as many batches in parallel as there are threads, each single-threaded, which avoids synchronisation within layers.

    Args:
        forward: encodes one batch.
        batches: batches of text indices.

    Yields:
        Vectors of each batch, in order.
    """
    n_threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield from pool.map(forward, batches)
    finally:
        torch.set_num_threads(n_threads)


def _one_ahead(forward: Callable[[Rows], torch.Tensor], batches: Sequence[Rows]) -> Iterator[torch.Tensor]:
    """Start each batch before the previous result is consumed, so that an accelerator does not wait for copies.

    Args:
        forward: encodes one batch.
        batches: at least one batch of text indices.

    Yields:
        Vectors of each batch, in order.
    """
    ahead = forward(batches[0])
    for rows in batches[1:]:
        following = forward(rows)
        yield ahead
        ahead = following
    yield ahead


def padded(tokens: TokenIds, rows: Rows, tokenizer: Any) -> dict[str, torch.Tensor]:
    """Pad a batch on the tokenizer's padding side.

    Args:
        tokens: tokenized texts.
        rows: indices of the texts of the batch.
        tokenizer: tokenizer of transformers.

    Returns:
        int64 (rows, longest) for each column and the attention mask.
    """
    lengths = tokens.lengths[rows]
    width = int(lengths.max())
    places = np.arange(width)
    is_real = places >= width - lengths[:, None] if tokenizer.padding_side == "left" else places < lengths[:, None]
    fills = {"input_ids": tokenizer.pad_token_id or 0, "token_type_ids": tokenizer.pad_token_type_id}  # masked
    blocks = {"attention_mask": torch.from_numpy(is_real.astype(np.int64))}
    for name, column in tokens.columns.items():
        block = np.full((len(rows), width), fills[name], dtype=np.int64)
        block[is_real] = np.concatenate([column[row] for row in rows])
        blocks[name] = torch.from_numpy(block)
    return blocks
