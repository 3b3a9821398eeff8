"""A reader without a model: it does exactly what its script says, so that every score of a whole run is known beforehand."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt

from rag_eval.parts import Language
from rag_eval.types import ABSTENTION, Generation, Rendered

Which = Literal["first", "last"]

_PASSAGE = re.compile(r"^\[\d+\] (.*)$", re.MULTILINE)
_QUESTION = "Question: "


class Scripted:
    """Copies what the passages of its prompt state of what is asked, and says that it does not know where none does."""

    device: Literal["cpu", "cuda"] = "cpu"
    max_prompt_tokens: int | None = None

    def __init__(
        self,
        language: Language,
        which: Which,
        error_rate: Annotated[float, Field(ge=0, le=1)],
        refusal_rate: Annotated[float, Field(ge=0, le=1)],
        seed: NonNegativeInt,
    ) -> None:
        """
        Args:
            language: reads passages and questions.
            which: of several statements about the same, the first or the last in the prompt is copied.
            error_rate: share of found answers that are replaced by another value of the attribute.
            refusal_rate: share of found answers that are withheld; a refusal comes before an error.
            seed: with the question's id, decides which.
        """
        self.language, self.which, self.error_rate, self.refusal_rate, self.seed = language, which, error_rate, refusal_rate, seed

    def identity(self) -> Mapping[str, Any]:
        script = {name: value for name, value in vars(self).items() if name != "language"}
        return {"base_model": f"scripted {type(self.language).__name__}", "decoding": script}

    def count_tokens(self, prompts: Sequence[Rendered]) -> list[int]:
        return [len(prompt.text.split()) for prompt in prompts]

    def generate(self, prompts: Sequence[Rendered]) -> list[Generation]:
        return [self._generation(prompt, n) for prompt, n in zip(prompts, self.count_tokens(prompts), strict=True)]

    def _generation(self, prompt: Rendered, n_tokens: int) -> Generation:
        begun = time.perf_counter()
        text = self._answer(prompt)
        return Generation(text, n_tokens, len(text.split()), time.perf_counter() - begun, "stop")

    def _answer(self, prompt: Rendered) -> str:
        passages, _, question = prompt.messages[-1][1].rpartition(_QUESTION)
        earlier = [content.rpartition(_QUESTION)[2] for role, content in prompt.messages[1:-1] if role == "user"]
        asked = self.language.question(question, earlier)
        if asked is None:
            return ABSTENTION
        texts = [found[1].partition(": ")[2] for found in _PASSAGE.finditer(passages)]
        values = [one.value for text in texts for one in self.language.statements(text) if (one.subject, one.attribute) == asked]
        if not values:
            return ABSTENTION
        draw = random.Random(f"{self.seed}/{prompt.example_id}")
        if draw.random() < self.refusal_rate:
            return ABSTENTION
        value = values[0 if self.which == "first" else -1]
        if draw.random() < self.error_rate:
            return draw.choice([other for other in self.language.values(asked[1]) if other not in values])
        return value
