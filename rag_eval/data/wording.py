"""When two questions are the same question."""

from __future__ import annotations

from rag_eval.score.normal_form import normalize
from rag_eval.types import Example


def wording(example: Example) -> str:
    """What is asked, after what was said: the same words after another conversation ask something else."""
    said = [text for turn in example.history for text in (turn.question, turn.answer)]
    return "\n".join(map(normalize, [*said, example.question]))
