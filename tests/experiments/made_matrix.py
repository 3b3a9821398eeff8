"""Questions by arms of finished runs with given scores, for tests of pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rag_eval.record.load import RecordedRun
from rag_eval.record.texts import Texts
from rag_eval.report.html.matrix import Block, Matrix, matrix
from rag_eval.testing.finished_runs import write_run
from rag_eval.types import Document, Example, Prompt

SCORES = ("answer/em", "answer/contains", "answer/f1")
ARMS = {
    "closed_book": ("none", "base"),
    "finetune": ("none", "trained"),
    "rag": ("retrieved", "base"),
    "rag_finetune": ("retrieved", "trained"),
    "raft": ("retrieved", "trained"),
    "oracle": ("gold", "base"),
}


def every_other(arm: str, at: int) -> bool:
    """A searching arm answers every other question and a trained arm the rest."""
    return (at + len(arm)) % 2 == 1


def hand_made(
    root: Path, n: int = 4, text: str = "x y", passage: str = "A passage.", is_right: Callable[[str, int], bool] = every_other
) -> Matrix:
    """Questions to six arms.

    Args:
        root: folder for their runs.
        n: questions.
        text: of questions, answers, titles and prompts.
        passage: end of the text of every passage.
        is_right: whether an arm is right in the question of a number.

    Returns:
        The questions by arms; the searching arm misses the evidence of every third.
    """
    example = {f"q{at}": Example(f"q{at}", f"{text}? {at}", (text,), evidence=(f"d{at}",)) for at in range(n)}
    documents = {f"d{at}": Document(f"d{at}", f"{at} {passage}", title=f"{text} {at}") for at in range(n + 2)}
    blocks: dict[str, RecordedRun] = {}
    for arm, (context, weights) in ARMS.items():
        rows = [{**dict.fromkeys(SCORES, float(is_right(arm, at))), "prompt/holds_evidence": float(at % 3 > 0)} for at in range(n)]
        shown = [(f"d{at}", f"d{at + 1}", f"d{at + 2}") if context != "none" else () for at in range(n)]
        said = {f"q{at}": {"text": f"{text} {arm}", "in_prompt": shown[at]} for at in range(n)}
        blocks[arm] = write_run(root, arm, arm, rows, predictions=said, context=context, weights=weights)
    prompts = {id: Prompt((("user", f"{text} {one.question}"),), "", "") for id, one in example.items()}
    return matrix([Block("", blocks, {arm: Texts(example, documents, prompts) for arm in blocks})])
