"""Test generator that repeats its prompt, so that a run needs no model."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from pydantic import PositiveInt

from rag_eval.types import Generation, Prompt, Timed


class Echo:
    """Answers with the last words of the user message, including passages; words count as tokens."""

    device: Literal["cpu", "cuda"] = "cpu"

    def __init__(self, max_words: PositiveInt, max_prompt_tokens: PositiveInt | None = None) -> None:
        self.max_words = max_words
        self.max_prompt_tokens: int | None = max_prompt_tokens

    def identity(self) -> Mapping[str, Any]:
        return {"base_model": "echo", "decoding": {"max_words": self.max_words}}

    def count_tokens(self, prompts: Sequence[Prompt]) -> list[int]:
        return [len(prompt.text.split()) for prompt in prompts]

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        begun = time.perf_counter()
        said = [prompt.messages[-1][1].split() for prompt in prompts]
        counted = self.count_tokens(prompts)
        share = (time.perf_counter() - begun) / max(1, len(prompts))
        return [
            Generation(
                text=" ".join(words[-self.max_words :]),
                n_prompt_tokens=n,
                n_output_tokens=min(len(words), self.max_words),
                total_s=share,
                stop_reason="stop",
            )
            for words, n in zip(said, counted, strict=True)
        ]

    def time_one(self, prompt: Prompt, forced_tokens: int | None) -> Timed:
        """Timed `generate`, with its words repeated up to a forced length. There is no separate time of the first token."""
        begun = time.perf_counter()
        (said,) = self.generate([prompt])
        words = said.text.split()
        if forced_tokens is not None:
            words = (words * forced_tokens)[:forced_tokens]
        seconds = time.perf_counter() - begun
        return Timed(replace(said, text=" ".join(words), n_output_tokens=len(words), total_s=seconds), n_generated=len(words))
