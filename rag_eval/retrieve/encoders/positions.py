"""Maximum input length of a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from sentence_transformers.base.modules import Transformer

_UNLIMITED = 10**9  # tokenizers without a limit state a larger number
_AT_ONCE = 8192  # texts per call of the tokenizer


def readable(network: Any, stated: int | None) -> int | None:
    """Maximum number of tokens of an input, including special ones: the smaller of the stated limit and the number of positions.

    Args:
        network: a transformers model, with or without a head.
        stated: limit of a tokenizer or folder; None = no limit stated.

    Returns:
        None if there is no limit.
    """
    limit = min(_UNLIMITED if stated is None else stated, _n_positions(network))
    return limit if limit < _UNLIMITED else None


def _n_positions(network: Any) -> int:
    """Number of positions of the network; RoBERTa-like ones start at padding_idx + 1, XLNet uses -1 for no limit."""
    body = getattr(network, "base_model", network)
    table = getattr(getattr(body, "embeddings", None), "position_embeddings", None)
    if isinstance(table, torch.nn.Embedding):
        return int(table.num_embeddings) - (0 if table.padding_idx is None else table.padding_idx + 1)
    positions = getattr(network.config, "max_position_embeddings", None)
    return int(positions) if positions and positions > 0 else _UNLIMITED


def lower_limits(model: torch.nn.Module) -> None:
    """Lower the length limit of every network of a sentence-transformers model to its number of positions."""
    for part in model.modules():
        if isinstance(part, Transformer) and (limit := readable(part.model, part.max_seq_length)) is not None:
            part.max_seq_length = limit


def n_longer(tokenizer: Any, texts: Sequence[str] | Sequence[tuple[str, str]], limit: int) -> int:
    """Number of texts, or of pairs encoded together, with more tokens than a limit.

    Args:
        tokenizer: tokenizer of transformers.
        texts: texts or pairs.
        limit: number of tokens, including special ones.

    Returns:
        A count.
    """
    blocks = (list(texts[start : start + _AT_ONCE]) for start in range(0, len(texts), _AT_ONCE))
    return sum(len(ids) > limit for block in blocks for ids in tokenizer(block, truncation=False, verbose=False)["input_ids"])
