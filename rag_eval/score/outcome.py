"""The four outcomes of an answerable question. Every such question has exactly one, so their shares sum to 1."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from rag_eval.score.answer import answer_text
from rag_eval.score.formats import obeys
from rag_eval.score.metric import Declaration, tracked
from rag_eval.types import Example, Prediction

FourOutcome = Literal["right", "wrong", "abstained", "malformed"]
FOUR: tuple[FourOutcome, ...] = get_args(FourOutcome)
ABSTAINED = "outcome/abstained"  # tracked name of the share of abstentions

# Declarations of the scores of outcome_row, by tracked name.
OUTCOME_MEASURES = tracked(
    Declaration("outcome", "right", "right answers", follows_primary=True),
    Declaration("outcome", "wrong", "wrong answers", better="lower", follows_primary=True),
    Declaration("outcome", "abstained", "abstains", better="lower"),
    Declaration("outcome", "malformed", "malformed answers", better="lower"),
    Declaration("answer", "reliability", "reliability", low=-1.0),
    Declaration("answer", "coverage", "coverage"),
    Declaration("answer", "selective_accuracy", "selective accuracy"),
)


def four_outcome(prediction: Prediction, example: Example, score: float) -> FourOutcome:
    """Outcome of an answerable question.

    - right: the score is 1; this includes "unknown" if that is the gold answer. The share is the mean of a 0/1 score.
    - abstained: the system abstained.
    - malformed: the answer is empty, the question failed with an error, or the demanded format is not followed.
    - wrong: all others.

    Args:
        prediction: answer of the system.
        example: the question; its grading names the demanded format, if any.
        score: the primary score, 1.0 = right.

    Returns:
        One of `FOUR`.

    Raises:
        ValueError: if the question is unanswerable, the score is nan or the format is unknown.
    """
    if not example.is_answerable or math.isnan(score):
        raise ValueError(f"{example.id}: an outcome needs an answerable question and a score but got score {score}.")
    text = answer_text(prediction)
    if score == 1.0:
        return "right"
    if prediction.outcome == "abstained":
        return "abstained"
    is_well_formed = bool(text.strip()) and (not example.grading.format or obeys(text, example.grading.format))
    return "wrong" if is_well_formed else "malformed"


def outcome_row(prediction: Prediction, example: Example, score: float) -> dict[str, float]:
    """Outcome of one question as scores whose means are shares.

    Reliability is 1 if right, -1 if wrong, else 0. Coverage is 1 if the answer is right or wrong, else 0. Selective accuracy is
    1 if right, 0 if wrong, else nan.

    Args:
        prediction: answer of the system.
        example: the question.
        score: the primary score, 1.0 = right.

    Returns:
        Scores by tracked name; empty for an unanswerable question.

    Raises:
        ValueError: if the score is nan or the format is unknown.
    """
    if not example.is_answerable:
        return {}
    ended = four_outcome(prediction, example, score)
    is_right, is_wrong = float(ended == "right"), float(ended == "wrong")
    return {f"outcome/{name}": float(name == ended) for name in FOUR} | {
        "answer/reliability": is_right - is_wrong,
        "answer/coverage": is_right + is_wrong,
        "answer/selective_accuracy": is_right if is_right or is_wrong else math.nan,
    }


def check_sum(rows: Sequence[Mapping[str, float]]) -> None:
    """Check that every answerable question has exactly one outcome.

    Args:
        rows: scores of all answerable questions, each with the keys of `outcome_row`.

    Raises:
        ValueError: if a question has no outcome or more than one.
    """
    for at, row in enumerate(rows):
        total = sum(row.get(f"outcome/{name}", 0.0) for name in FOUR)
        if total != 1:
            raise ValueError(f"row {at} of {len(rows)} has {total:g} outcomes but must have one of {', '.join(FOUR)}.")
