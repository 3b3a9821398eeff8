"""Greedy decoding of token ids by a loaded network, in batches that fit the memory, or timed for one prompt."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from rag_eval.errors import EnvironmentFault, is_out_of_memory
from rag_eval.generate.batching import plan
from rag_eval.generate.first_token import FirstToken
from rag_eval.generate.greedy import Line, OwnLoop, Rules
from rag_eval.generate.heap import give_back
from rag_eval.generate.hf_generate import Transformers, tried
from rag_eval.generate.hf_settings import ends, plain
from rag_eval.generate.speech import Speech
from rag_eval.generate.stops import Stops
from rag_eval.generate.suited import differs, sees_padding, unsuited, without_adapter_class
from rag_eval.progress import Advance, progress
from rag_eval.types import Decoded, Generation, StopReason, Timed

log = logging.getLogger(__name__)


@dataclass
class Decoder:
    """Decodes prompts to answers."""

    tokenizer: Any
    network: Any  # in eval mode, on its device; its generation settings are reset
    max_new_tokens: int
    token_budget: int  # tokens of a padded batch, prompt and answer together
    way: OwnLoop | Transformers = field(init=False)
    why: str | None = field(init=False)  # reason for not using OwnLoop
    is_tried: bool = field(init=False)  # whether the memory for a batch is tested before timing; true for accelerators
    _max_rows: int | None = field(default=None, init=False)
    _fits: int = field(default=0, init=False)  # tokens of the largest batch that passed the test

    def __post_init__(self) -> None:
        self._ends = ends(self.network.generation_config, self.tokenizer)
        self.network.generation_config = plain()
        self._speech = Speech(self.tokenizer)
        self._stops: dict[tuple[str, ...], Stops] = {}
        self.is_tried = self.network.device.type != "cpu"
        inner = without_adapter_class(self.network)
        self.why = unsuited(self.network) or differs(inner)
        self.way = Transformers(self.network) if self.why else OwnLoop(inner)
        if self.why and sees_padding(self.network):
            self._max_rows = 1

    def decoded(self) -> Decoded:
        """Decoding details: which loop and why, matrix product implementation, the batch limit due to memory or padding, and the share
        of the prompts' tokens that was computed."""
        if not isinstance(self.way, OwnLoop):
            return Decoded("transformers", self.why, None, self._max_rows)
        share = self.way.n_read / self.way.n_given if self.way.n_given else None
        return Decoded("own", None, vars(self.way.products), self._max_rows, share)

    @torch.inference_mode()
    def generate(self, encoded: Sequence[list[int]], stop: tuple[str, ...]) -> list[Generation]:
        """One generation per prompt, in order; `stop` contains the stop texts."""
        found: dict[int, Generation] = {}
        with progress("answering", len(encoded)) as advance:
            while left := [at for at in range(len(encoded)) if at not in found]:
                self._answer(encoded, self._batches(encoded, left), stop, found, advance)
        give_back()
        return [found[at] for at in range(len(encoded))]

    @torch.inference_mode()
    def time_one(self, ids: list[int], stop: tuple[str, ...], forced_tokens: int | None, first: FirstToken) -> Timed:
        """Generate an answer to one prompt for timing.

        Args:
            ids: token ids of the prompt.
            stop: stop texts.
            forced_tokens: length of the answer, with end tokens and stop texts suppressed; None = natural.
            first: receives every token and records the time of the first.

        Returns:
            The generation.
        """
        rules = self._rules(stop) if forced_tokens is None else Rules(forced_tokens, never=sorted(self._ends))
        begun = time.perf_counter()
        with self.way.session([ids], len(ids) + rules.n_new) as answer:
            (line,) = answer([ids], rules, first)
        return Timed(self._generation(line, stop, time.perf_counter() - begun), first.n_tokens)

    def _rules(self, stop: tuple[str, ...]) -> Rules:
        """End conditions of natural answers; `Stops` objects are reused for their caches."""
        if stop not in self._stops:
            self._stops[stop] = Stops(self._speech, stop)
        return Rules(self.max_new_tokens, self._ends, self._stops[stop])

    def _batches(self, encoded: Sequence[list[int]], left: Sequence[int]) -> list[list[int]]:
        """Batches of the remaining prompts; on a device the largest is first run untimed, and halved until it fits."""
        while True:
            planned = plan([len(encoded[at]) for at in left], self.max_new_tokens, self.token_budget, self._max_rows)
            batches = [[left[at] for at in rows] for rows in planned]
            largest = max(batches, key=lambda rows: self._n_tokens(encoded, rows))
            n_tokens = self._n_tokens(encoded, largest)
            if not self.is_tried or n_tokens <= self._fits:
                return batches
            try:
                tried(self.network, [encoded[at] for at in largest], self.max_new_tokens)
                self._fits = n_tokens
            except RuntimeError as error:
                self._halve(error, [encoded[at] for at in largest])

    def _n_tokens(self, encoded: Sequence[list[int]], rows: Sequence[int]) -> int:
        return len(rows) * (len(encoded[rows[0]]) + self.max_new_tokens)

    def _answer(
        self,
        encoded: Sequence[list[int]],
        batches: Sequence[Sequence[int]],
        stop: tuple[str, ...],
        found: dict[int, Generation],
        advance: Advance,
    ) -> None:
        """Answer batch by batch, until all are answered or memory runs out."""
        rows, rules, begun = batches[0], self._rules(stop), time.perf_counter()
        asked = [encoded[at] for rows in batches for at in rows]
        try:
            with self.way.session(asked, max(self._n_tokens(encoded, rows) for rows in batches)) as answer:
                shared_s = (time.perf_counter() - begun) / len(asked)
                for rows in batches:
                    begun = time.perf_counter()
                    lines = answer([encoded[at] for at in rows], rules)
                    seconds = shared_s + (time.perf_counter() - begun) / len(rows)
                    found |= {at: self._generation(line, stop, seconds) for at, line in zip(rows, lines, strict=True)}
                    advance(len(rows))
        except (RuntimeError, MemoryError) as error:
            self._halve(error, [encoded[at] for at in rows])

    def _halve(self, error: Exception, prompts: Sequence[Sequence[int]]) -> None:
        """Halve the maximum batch size after an out-of-memory error.

        Args:
            error: the error; anything else is raised again.
            prompts: the batch that failed.

        Raises:
            EnvironmentFault: if the batch had one prompt.
            Exception: `error` itself if it is not an out-of-memory error.
        """
        if not is_out_of_memory(error):
            raise error
        if len(prompts) == 1:
            raise EnvironmentFault(
                f"out of memory with one prompt of {len(prompts[0])} tokens on {self.network.device}: "
                "use a smaller model, generator.dtype=bfloat16 or a smaller retriever.k."
            ) from error
        self._max_rows = len(prompts) // 2
        if self.network.device.type == "cuda":
            torch.cuda.empty_cache()
        log.warning("out of memory with %d prompts at once; trying %d", len(prompts), self._max_rows)

    def _generation(self, line: Line, stop: tuple[str, ...], seconds: float) -> Generation:
        said, n_thought = self._speech.said(line.written, line.prompt), self._speech.n_thought(line.written, line.prompt)
        text = said.answer[: self._speech.cut(said, stop)].strip()
        reason: StopReason = "stop" if line.is_ended else "length"
        return Generation(text, len(line.prompt), len(line.written), seconds, reason, thought=said.thought, n_thought_tokens=n_thought)
