"""What another system answered to one question, as it was recorded there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rag_eval.types import Document


@dataclass(frozen=True)
class RecordedAnswer:
    """One answer; what was not recorded is None."""

    text: str | None  # None: the system gave no answer
    contexts: tuple[Document, ...] | None = None  # what stood in its prompt, best first; a document without text is one of the dataset's
    latency_s: float | None = None  # from the question to the whole answer
    n_prompt_tokens: int | None = None
    n_output_tokens: int | None = None


Answers = Mapping[str, RecordedAnswer]  # by question id
