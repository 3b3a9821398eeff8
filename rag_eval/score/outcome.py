"""The four ways in which an answerable question can end. Every question has one of them, so their shares sum to 1."""

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
ABSTAINED = "outcome/abstained"  # the estimate of one of them

# What outcome_row gives, by tracked name.
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
    """How an answerable question ended.

    - right: the score is 1, whatever else; so is saying "unknown" where that is the gold answer. The share of these is
      the mean of a 0/1 score.
    - abstained: the system said that it does not know.
    - malformed: nothing was said, the question could not be asked, or the form that it demands is not obeyed.
    - wrong: the rest.

    Args:
        prediction: what was answered.
        example: the question, whose grading names the form that it demands, if any.
        score: the primary score, 1.0 = right.

    Raises:
        ValueError: if the question is unanswerable, the score is nan or there is no such form.
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
    """The outcome of one question as scores whose means are shares; nothing for an unanswerable question.

    Reliability is 1 if right, -1 if wrong, else 0. Coverage is whether there was an answer, right or wrong. Selective
    accuracy is whether that answer was right, nan without one.
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
    """Check that every answerable question is counted once.

    Args:
        rows: of all answerable questions, each with the keys of outcome_row.

    Raises:
        ValueError: if some question has no outcome, or more than one; the four then do not sum to n.
    """
    for at, row in enumerate(rows):
        total = sum(row.get(f"outcome/{name}", 0.0) for name in FOUR)
        if total != 1:
            raise ValueError(f"row {at} of {len(rows)} has {total:g} outcomes but must have one of {', '.join(FOUR)}.")
