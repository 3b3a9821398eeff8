"""Null generator, for arms that answer without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rag_eval.errors import ConfigError
from rag_eval.types import Generation, Prompt


class NoGenerator:
    """Placeholder until an adapter replaces it by a generator."""

    device: Literal["cpu", "cuda"] = "cpu"
    max_prompt_tokens: int | None = None

    def identity(self) -> Mapping[str, Any]:
        return {"base_model": None}

    def count_tokens(self, prompts: Sequence[Prompt]) -> list[int]:
        return [0] * len(prompts)

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        raise ConfigError("generator=none cannot answer: expected a generator such as tiny, or adapter=majority (mode=prior).")
