"""The score of knowing nothing, by shuffling the answers of a run."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from rag_eval.errors import DataError
from rag_eval.score.comparators import is_forced
from rag_eval.score.self_check import Score, below_chance, shuffled_scores
from rag_eval.types import Example, Prediction, QuestionScores


def check_chance(
    metric: Score, primary: str, scored: Sequence[QuestionScores], predictions: Sequence[Prediction], questions: Sequence[Example]
) -> float | None:
    """The score that these answers would get on other questions: the level of knowing nothing about which is which.

    Args:
        metric: the primary one.
        primary: its tracked name.
        scored: one a question.
        predictions: of the same questions.
        questions: in the same order.

    Returns:
        None where it cannot be told.

    Raises:
        DataError: where the answer is one of few options and the score is significantly below that level, which no
            system reaches by not knowing; an index that is off by one does.
    """
    asked = [at for at, example in enumerate(questions) if example.is_answerable]
    examples, said = [questions[at] for at in asked], [predictions[at] for at in asked]
    if len({example.cluster for example in examples}) < 2:
        return None
    chance = shuffled_scores(metric, said, examples, seed=0)
    if all(map(math.isnan, chance)):
        return None
    forced = [at for at, example in enumerate(examples) if is_forced(example)]
    scores = [scored[asked[at]].score(primary) for at in forced]
    clusters = [examples[at].cluster for at in forced]
    gap = below_chance(scores, [chance[at] for at in forced], clusters) if forced else None
    if gap is not None:
        raise DataError(
            f"{primary} is {statistics.fmean(scores):.3f} on {len(forced)} questions with given options, {-gap.mean:.3f} below that of the "
            "same answers shuffled, which no system reaches by knowing nothing. Is the right option counted from 0 here and from 1 there?"
        )
    return statistics.fmean(level for level in chance if not math.isnan(level))
