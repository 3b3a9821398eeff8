"""Rule-based generator without a model, for which every score of a run is known in advance."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt

from rag_eval.protocols import Language
from rag_eval.types import ABSTENTION, Generation, Prompt, Stated

Which = Literal["first", "last", "oldest", "newest"]

_PASSAGE = re.compile(r"^\[\d+\] (.*)$", re.MULTILINE)
_QUESTION = "Question: "


class Scripted:
    """Answers from statements in the passages of its prompt, and abstains if they do not contain the answer."""

    device: Literal["cpu", "cuda"] = "cpu"
    max_prompt_tokens: int | None = None

    def __init__(
        self,
        language: Language,
        which: Which,
        trusting: bool,
        error_rate: Annotated[float, Field(ge=0, le=1)],
        refusal_rate: Annotated[float, Field(ge=0, le=1)],
        seed: NonNegativeInt,
    ) -> None:
        """Configure the rules.

        Args:
            language: parser of passages and questions.
            which: which of several statements about the same fact is used: first or last in the prompt, oldest or newest; an undated
                statement counts as the oldest.
            trusting: if false, statements from doubtful sources are ignored.
            error_rate: share of found answers that are replaced by a wrong one of the same kind.
            refusal_rate: share of found answers that are replaced by an abstention; applied before errors.
            seed: determines errors and refusals together with the question's id.
        """
        self.language, self.which, self.trusting = language, which, trusting
        self.error_rate, self.refusal_rate, self.seed = error_rate, refusal_rate, seed

    def identity(self) -> Mapping[str, Any]:
        script = {name: value for name, value in vars(self).items() if name != "language"}
        return {"base_model": f"scripted {type(self.language).__name__}", "decoding": script}

    def count_tokens(self, prompts: Sequence[Prompt]) -> list[int]:
        return [len(prompt.text.split()) for prompt in prompts]

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        return [self._generation(prompt, n) for prompt, n in zip(prompts, self.count_tokens(prompts), strict=True)]

    def _generation(self, prompt: Prompt, n_tokens: int) -> Generation:
        begun = time.perf_counter()
        text = self._answer(prompt)
        return Generation(text, n_tokens, len(text.split()), time.perf_counter() - begun, "stop")

    def _answer(self, prompt: Prompt) -> str:
        passages, _, question = prompt.messages[-1][1].rpartition(_QUESTION)
        earlier = [content.rpartition(_QUESTION)[2] for role, content in prompt.messages[1:-1] if role == "user"]
        stated = self._ordered(self._stated(passages))
        answer = self.language.answer(question, earlier, stated)
        if answer is None:
            return ABSTENTION
        draw = random.Random(f"{self.seed}/{prompt.example_id}")
        if draw.random() < self.refusal_rate:
            return ABSTENTION
        if draw.random() < self.error_rate:
            return self.language.another(question, earlier, stated, draw) or ABSTENTION
        return answer

    def _stated(self, passages: str) -> list[Stated]:
        """Statements of the passages that are used, in the order of the prompt."""
        titled = (found[1].partition(": ") for found in _PASSAGE.finditer(passages))
        stated = (one for title, _, text in titled for one in self.language.statements(text, title))
        return [one for one in stated if self.trusting or not one.is_doubtful]

    def _ordered(self, stated: Sequence[Stated]) -> Sequence[Stated]:
        """Statements in order of precedence; for equal years the first in the prompt."""
        match self.which:
            case "first":
                return stated
            case "last":
                return stated[::-1]
            case "oldest":
                return sorted(stated, key=lambda one: one.year or 0)
            case "newest":
                return sorted(stated, key=lambda one: -(one.year or 0))
