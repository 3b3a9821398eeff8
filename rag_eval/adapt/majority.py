"""Majority baseline: the most frequent training answer to the kind of question."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rag_eval.errors import DataError
from rag_eval.protocols import Generator, PromptWriter
from rag_eval.types import Cached, Generation, Prompt, QADataset, Weights


class MajorityAnswers:
    """Answers with the most frequent answer for the question's attribute, or overall; no model."""

    device: Literal["cpu", "cuda"] = "cpu"
    max_prompt_tokens: int | None = None

    def __init__(self, table: Mapping[str, str], otherwise: str) -> None:
        self.table, self.otherwise = table, otherwise

    def identity(self) -> Mapping[str, Any]:
        return {"base_model": None}

    def count_tokens(self, prompts: Sequence[Prompt]) -> list[int]:
        return [0] * len(prompts)

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        begun = time.perf_counter()
        said = [self.table.get(str(prompt.meta.get("attribute")), self.otherwise) for prompt in prompts]
        share = (time.perf_counter() - begun) / max(1, len(said))
        return [Generation(text, n_prompt_tokens=0, n_output_tokens=0, total_s=share, stop_reason="none") for text in said]


class Majority:
    """Counts training answers by attribute; ties are resolved alphabetically."""

    weights: Weights = "none"

    def fit(self, generator: Generator, prompt: PromptWriter, dataset: QADataset, seed: int) -> tuple[Generator, Cached | None]:
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for example in dataset.train:
            for key in (str(example.meta.get("attribute")), "") if example.answers else ():
                counts[key][example.answers[0]] += 1
        if not counts:
            raise DataError(f"{dataset.name}: mode=prior needs answered training questions, found none. Set dataset.train_share above 0.")
        table = {key: min(counter, key=lambda answer: (-counter[answer], answer)) for key, counter in counts.items()}
        return MajorityAnswers(table, table[""]), None
