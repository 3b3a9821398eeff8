"""Log-likelihoods of texts under a causal language model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rag_eval.generate.batching import plan


@torch.inference_mode()
def log_likelihoods(network: Any, encoded: Sequence[list[int]], borders: Sequence[int], token_budget: int) -> list[tuple[float, float]]:
    """Log-probability of each text after its border, and of the whole text after its first token.

    Batches are padded on the right, which does not affect a causal model, so the results equal those of single texts.

    Args:
        network: in eval mode, on its device.
        encoded: token ids of each text, at least 2.
        borders: number of prompt tokens of each text, at least 1.
        token_budget: tokens of a padded batch.

    Returns:
        Natural logarithms, in order, summed in float32 for any dtype of the network.
    """
    results = [(0.0, 0.0)] * len(encoded)
    for rows, ids, mask in _padded(network, encoded, token_budget):
        logits = network(input_ids=ids, attention_mask=mask).logits[:, :-1].float()
        found = torch.log_softmax(logits, dim=-1).gather(2, ids[:, 1:, None])[:, :, 0].cpu()
        for place, at in enumerate(rows):
            each = found[place, : len(encoded[at]) - 1]
            results[at] = (float(each[borders[at] - 1 :].sum()), float(each.sum()))
    return results


@torch.inference_mode()
def next_token_log_probs(network: Any, encoded: Sequence[list[int]], token_budget: int) -> NDArray[np.float32]:
    """Log-probabilities of the next token after each text.

    Args:
        network: in eval mode, on its device.
        encoded: token ids of each text, at least 1.
        token_budget: tokens of a padded batch.

    Returns:
        float32 (n_texts, vocabulary), natural logarithms, in order.
    """
    results: list[NDArray[np.float32]] = [np.empty(0, dtype=np.float32)] * len(encoded)
    for rows, ids, mask in _padded(network, encoded, token_budget):
        logits = network(input_ids=ids, attention_mask=mask).logits
        last = logits[torch.arange(len(rows), device=logits.device), mask.sum(dim=1) - 1].float()
        for at, found in zip(rows, torch.log_softmax(last, dim=-1).cpu().numpy(), strict=True):
            results[at] = found
    return np.stack(results) if results else np.empty((0, 0), dtype=np.float32)


def _padded(network: Any, encoded: Sequence[list[int]], token_budget: int) -> Iterator[tuple[list[int], torch.Tensor, torch.Tensor]]:
    """Batches of text indices, right-padded token ids and mask, both int64 (n_rows, longest) on the network's device."""
    for rows in plan([len(ids) for ids in encoded], 0, token_budget, None):
        longest = max(len(encoded[at]) for at in rows)
        ids = torch.zeros((len(rows), longest), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for place, at in enumerate(rows):
            ids[place, : len(encoded[at])] = torch.tensor(encoded[at])
            mask[place, : len(encoded[at])] = 1
        yield rows, ids.to(network.device), mask.to(network.device)
