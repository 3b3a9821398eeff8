"""Greedy decoding of token ids by a loaded network, in batches that fit the memory, or of one prompt by the clock."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch

from rag_eval.errors import EnvironmentFault, is_out_of_memory
from rag_eval.generate.batching import plan
from rag_eval.generate.first_token import FirstToken
from rag_eval.generate.speech import Speech, StopsInAnswer
from rag_eval.parts import Timed
from rag_eval.progress import progress
from rag_eval.types import Generation, StopReason

log = logging.getLogger(__name__)


@dataclass
class Decoder:
    """Token ids of prompts to answers."""

    tokenizer: Any
    network: Any  # in eval mode, on its device
    max_new_tokens: int
    token_budget: int  # tokens of a padded batch, prompt and answer together
    stop: Sequence[str]  # texts that end an answer
    _max_rows: int | None = field(default=None, init=False)
    _tried: int = field(default=0, init=False)  # tokens of the largest batch that is known to fit

    def generate(self, encoded: Sequence[list[int]]) -> list[Generation]:
        """One generation a prompt, same order."""
        batches = self._plan_that_fits(encoded)
        results: list[Generation | None] = [None] * len(encoded)
        with progress("answering", len(encoded)) as advance:
            for rows in batches:
                batch = [encoded[at] for at in rows]
                for at, generation in zip(rows, self._batch(batch, **self._stops(batch)), strict=True):
                    results[at] = generation
                advance(len(rows))
        return [result for result in results if result is not None]

    def time_one(self, ids: list[int], forced_tokens: int | None, first: FirstToken) -> Timed:
        """One prompt alone; `first` reads the clock at its first token.

        Args:
            ids: the prompt.
            forced_tokens: the answer's length, the end token and stop texts suppressed; None = natural.
            first: sees every token as it comes.
        """
        length = self._stops([ids]) if forced_tokens is None else {"min_new_tokens": forced_tokens, "max_new_tokens": forced_tokens}
        (said,) = self._batch([ids], streamer=first, **length)
        return Timed(said if forced_tokens is None else replace(said, stop_reason="length"), first.n_tokens)

    @cached_property
    def speech(self) -> Speech:
        """Tokens to thoughts and answers."""
        return Speech(self.tokenizer)

    def _stops(self, encoded: Sequence[list[int]]) -> dict[str, Any]:
        return {"stopping_criteria": [StopsInAnswer(self.speech, encoded, self.stop)]} if self.stop else {}

    def _plan_that_fits(self, encoded: Sequence[list[int]]) -> list[list[int]]:
        """Batches whose largest has been tried, untimed, and halved until it fitted the memory; it also warms up."""
        while True:
            batches = plan([len(ids) for ids in encoded], self.max_new_tokens, self.token_budget, self._max_rows)
            if not batches:
                return []
            sizes = [len(rows) * (len(encoded[rows[0]]) + self.max_new_tokens) for rows in batches]
            size = max(sizes)
            largest = batches[sizes.index(size)]
            if size <= self._tried:
                return batches
            try:
                self._batch([encoded[at] for at in largest], min_new_tokens=self.max_new_tokens)  # none ends early: the worst case
                self._tried = size
                return batches
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if len(largest) == 1:
                    raise EnvironmentFault(
                        f"out of memory with one prompt of {len(encoded[largest[0]])} tokens on {self.network.device}: "
                        "use a smaller model, generator.dtype=bfloat16 or a smaller retriever.k."
                    ) from error
                self._max_rows = len(largest) // 2
                torch.cuda.empty_cache()
                log.warning("out of memory with %d prompts at once; trying %d", len(largest), self._max_rows)

    @torch.inference_mode()
    def _batch(self, encoded: Sequence[list[int]], **decoding: Any) -> list[Generation]:
        model, padding = self.network, self.tokenizer.pad_token_id or 0
        begun = time.perf_counter()
        batch = _padded(encoded, padding, model.device)
        decoding = {"max_new_tokens": self.max_new_tokens, "do_sample": False, "pad_token_id": padding} | decoding
        out = model.generate(**batch, **decoding)
        written = out[:, batch["input_ids"].shape[1] :].tolist()  # the copy to the host waits for the device
        seconds = (time.perf_counter() - begun) / len(encoded)
        return [self._generation(ids, prompt, seconds) for ids, prompt in zip(written, encoded, strict=True)]

    def _generation(self, ids: list[int], prompt: list[int], seconds: float) -> Generation:
        tokenizer, model = self.tokenizer, self.network
        ends = model.generation_config.eos_token_id
        ends = set(ends if isinstance(ends, list) else [ends]) | {tokenizer.eos_token_id, tokenizer.pad_token_id}
        n = next((at for at, id in enumerate(ids) if id in ends), len(ids))
        said = self.speech.said(ids[:n], prompt)
        cut = self.speech.cut(said, self.stop)
        reason: StopReason = "length" if n == len(ids) >= self.max_new_tokens and cut is None else "stop"
        n_thought = self.speech.n_thought(ids[:n], prompt)
        text = said.answer[:cut].strip()
        return Generation(text, len(prompt), n, seconds, reason, thought=said.thought, n_thought_tokens=n_thought)


def _padded(encoded: Sequence[list[int]], padding: int, device: Any) -> dict[str, torch.Tensor]:
    """Token ids padded on the left and the mask, both int64 (n_rows, longest)."""
    longest = max(map(len, encoded))
    ids = torch.tensor([[padding] * (longest - len(row)) + row for row in encoded], device=device)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in encoded], device=device)
    return {"input_ids": ids, "attention_mask": mask}
