"""Greedy decoding by `generate` of transformers, for networks and devices that `OwnLoop` does not support."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from transformers import StoppingCriteria, StoppingCriteriaList

from rag_eval.generate.first_token import FirstToken
from rag_eval.generate.greedy import Answer, Line, Rules

PADDING = 0  # any token, since padding is masked
N_TRIED = 2  # tokens generated in a memory test: one after prefill, one after a decoding step


class Writing(StoppingCriteria):  # type: ignore[misc]
    """Stopping criterion that collects the generated tokens of a batch."""

    def __init__(self, lines: Sequence[Line], rules: Rules) -> None:
        """Create the criterion.

        Args:
            lines: one sequence per prompt, without generated tokens.
            rules: end conditions.
        """
        self._lines, self._rules = lines, rules

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        for line, token in zip(self._lines, input_ids[:, -1].tolist(), strict=True):
            if not line.is_over(self._rules):
                line.take(token, self._rules)
        return torch.tensor([line.is_over(self._rules) for line in self._lines], device=input_ids.device)


class Transformers:
    """Decoding by a network's `generate`."""

    def __init__(self, network: Any) -> None:
        """Wrap a network.

        Args:
            network: in eval mode, with plain generation settings.
        """
        self._network = network

    @contextmanager
    def session(self, prompts: Sequence[Sequence[int]], n_tokens: int) -> Iterator[Answer]:
        """Allow batches to be answered; the arguments are not used.

        Args:
            prompts: ignored.
            n_tokens: ignored.

        Yields:
            The function that answers a batch.
        """
        yield self.answer

    def answer(self, prompts: Sequence[Sequence[int]], rules: Rules, first: FirstToken | None = None) -> list[Line]:
        lines = [Line(prompt) for prompt in prompts]
        ids, mask = padded(prompts, self._network.device)
        suppressed = {"min_new_tokens": rules.n_new, "eos_token_id": list(rules.never)} if rules.never else {}
        self._network.generate(
            input_ids=ids,
            attention_mask=mask,
            streamer=first,
            stopping_criteria=StoppingCriteriaList([Writing(lines, rules)]),
            **{"max_new_tokens": rules.n_new, "pad_token_id": PADDING, "eos_token_id": sorted(rules.ends) or None} | suppressed,
        )
        return lines


def padded(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Left-padded token ids and attention mask, both (n_prompts, longest)."""
    longest = max(len(prompt) for prompt in prompts)
    ids = [[PADDING] * (longest - len(prompt)) + list(prompt) for prompt in prompts]
    mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def tried(network: Any, prompts: Sequence[Sequence[int]], n_new: int) -> None:
    """Test whether a batch fits into memory: prefill and first tokens, with the memory of all tokens allocated.

    Args:
        network: network on a device.
        prompts: token ids of the batch.
        n_new: maximum number of tokens of an answer.

    Raises:
        torch.OutOfMemoryError: if it does not fit.
    """
    taken = _memory(len(prompts) * n_new * bytes_of_token(network), network.device)
    Transformers(network).answer(prompts, Rules(min(N_TRIED, n_new)))
    del taken


def _memory(n_bytes: int, device: torch.device) -> torch.Tensor:
    return torch.empty(n_bytes, dtype=torch.uint8, device=device)


@torch.inference_mode()
def bytes_of_token(network: Any) -> int:
    """Bytes of the keys and values of one token; state that does not grow with the text is not counted."""
    out = network(input_ids=torch.tensor([[PADDING]], device=network.device), use_cache=True)
    layers = (out.get("cache") or out.get("past_key_values")).layers
    kept = [one for layer in layers for one in (getattr(layer, "keys", None), getattr(layer, "values", None)) if one is not None]
    return sum(one.numel() * one.element_size() for one in kept)
