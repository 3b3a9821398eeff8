"""Recorded answers as a generator, without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rag_eval.models.thinking import split
from rag_eval.replay.answer import Answers, RecordedAnswer
from rag_eval.types import Generation, Prompt


class Replay:
    """Returns the recorded answer to each question, with recorded latency and token counts."""

    device: Literal["cpu", "cuda"] = "cpu"
    max_prompt_tokens: int | None = None

    def __init__(self, answers: Answers) -> None:
        """Configure the generator.

        Args:
            answers: recorded answers by question id.
        """
        self.answers = answers

    def identity(self) -> Mapping[str, Any]:
        return {"base_model": None}

    def count_tokens(self, prompts: Sequence[Prompt]) -> list[int]:
        return [0] * len(prompts)

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        return [_generation(self.answers[prompt.example_id]) for prompt in prompts]


def _generation(recorded: RecordedAnswer) -> Generation:
    said = split(recorded.text or "")
    return Generation(
        text=said.answer,
        n_prompt_tokens=recorded.n_prompt_tokens,
        n_output_tokens=recorded.n_output_tokens,
        total_s=recorded.latency_s,
        stop_reason="none",
        is_whole=True,
        thought=said.thought,
    )
