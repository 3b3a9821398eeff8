"""Identity of questions by their normalised wording."""

from __future__ import annotations

from rag_eval.text.normalize import normalize
from rag_eval.types import Example


def wording(example: Example) -> str:
    """Normalised question with its conversation history; the same words after another conversation are another question."""
    said = [text for turn in example.history for text in (turn.question, turn.answer)]
    return "\n".join(map(normalize, [*said, example.question]))
