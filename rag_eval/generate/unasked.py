"""Null generator for runs that measure retrieval only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rag_eval.types import Generation, Prompt


class Unasked:
    """Returns an empty generation for every prompt, which is not counted as an answer."""

    device: Literal["cpu", "cuda"] = "cpu"
    max_prompt_tokens: int | None = None

    def identity(self) -> Mapping[str, Any]:
        return {"base_model": None}

    def count_tokens(self, prompts: Sequence[Prompt]) -> list[int]:
        return [0] * len(prompts)

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        return [Generation("", None, None, None, "none", is_asked=False)] * len(prompts)
