"""The texts behind a recorded run, which a run directory names and does not hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rag_eval.types import Document, Example, Prompt


@dataclass(frozen=True)
class Texts:
    """Questions, documents and prompts of a run, by id; what could not be made again is absent."""

    examples: Mapping[str, Example] = field(default_factory=dict)
    documents: Mapping[str, Document] = field(default_factory=dict)  # as the retriever had them: passages, where documents were cut
    prompts: Mapping[str, Prompt] = field(default_factory=dict)  # by question
    lacking: str = ""  # what is absent, and why
