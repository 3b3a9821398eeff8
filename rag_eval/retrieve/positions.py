"""How long an input a network can read, whatever its folder states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from sentence_transformers.base.modules import Transformer

_UNLIMITED = 10**9  # tokenizers without a limit name a larger one
_AT_ONCE = 8192  # texts tokenized together


def readable(network: Any, stated: int | None) -> int | None:
    """The tokens of an input, special ones included: the stated ones, or those that the network has positions for if these are fewer.

    Args:
        network: a model of transformers, with a head or without.
        stated: by a tokenizer or a folder; None states nothing.

    Returns:
        None where neither sets a limit.
    """
    limit = min(_UNLIMITED if stated is None else stated, _n_positions(network))
    return limit if limit < _UNLIMITED else None


def _n_positions(network: Any) -> int:
    """Positions that the network has; those like RoBERTa number them from padding_idx + 1, XLNet says -1 for no limit."""
    body = getattr(network, "base_model", network)
    table = getattr(getattr(body, "embeddings", None), "position_embeddings", None)
    if isinstance(table, torch.nn.Embedding):
        return int(table.num_embeddings) - (0 if table.padding_idx is None else table.padding_idx + 1)
    positions = getattr(network.config, "max_position_embeddings", None)
    return int(positions) if positions and positions > 0 else _UNLIMITED


def lower_limits(model: torch.nn.Module) -> None:
    """Have every network of a sentence-transformers model cut its texts at what it has positions for."""
    for part in model.modules():
        if isinstance(part, Transformer) and (limit := readable(part.model, part.max_seq_length)) is not None:
            part.max_seq_length = limit


def n_longer(tokenizer: Any, texts: Sequence[str] | Sequence[tuple[str, str]], limit: int) -> int:
    """How many texts, or pairs that are read as one, have more tokens than the limit, special ones included."""
    blocks = (list(texts[start : start + _AT_ONCE]) for start in range(0, len(texts), _AT_ONCE))
    return sum(len(ids) > limit for block in blocks for ids in tokenizer(block, truncation=False, verbose=False)["input_ids"])
