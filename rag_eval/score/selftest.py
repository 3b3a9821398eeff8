"""Is the scoring itself right? Gold must score 1, and no system may score below what its answers would by chance.

Both catch faults of data and scoring, such as options numbered from 1 on one side and from 0 on the other.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from rag_eval.errors import DataError
from rag_eval.score.comparators import option_of
from rag_eval.score.estimate import estimate
from rag_eval.score.metric import Metric
from rag_eval.types import Estimate, Example, Prediction

Score = Callable[[Prediction, Example], float]  # nan = this question cannot be judged

N_SHIFTS = 8  # pairings with other questions' gold; the more, the less their draw matters


def gold_scores(metrics: Mapping[str, Metric], examples: Sequence[Example]) -> dict[str, float]:
    """The worst score that a gold answer gets as the prediction, by metric: 1, or nan where no question could be judged.

    Args:
        metrics: those that do not declare to be 1 for a gold answer are skipped. Those of likelihoods judge no text: nan.
        examples: unanswerable ones are skipped.

    Raises:
        DataError: naming metric, question and gold answer at the first score below 1 or gold that a metric refuses.
    """
    scores = {name: metric.function for name, metric in metrics.items() if metric.gold_scores_1}
    worst = dict.fromkeys(scores, math.nan)
    for example in examples:
        for gold in example.answers:
            for name, of in scores.items():
                score = _score_of_gold(name, of, gold, example)
                worst[name] = worst[name] if math.isnan(score) else score
    return worst


def shuffled_scores(metric: Score, predictions: Sequence[Prediction], examples: Sequence[Example], seed: int) -> list[float]:
    """What each prediction scores by chance: its mean score against the gold of questions of other clusters.

    Every pairing gives each question's gold to exactly one prediction, so whoever always answers the same scores by chance
    exactly what it scores. An option is carried over by its place among the choices, because other questions have other
    ones; only a text that stands in every prediction stays.

    Args:
        metric: what is scored.
        predictions: one a question, in the order of the examples.
        examples: all questions.
        seed: of the pairings.

    Returns:
        One value a question; nan where the question cannot be judged, or everywhere where one cluster has more than half of
        the questions, so that they cannot be paired with others.
    """
    judged = [at for at, (said, asked) in enumerate(zip(predictions, examples, strict=True)) if not math.isnan(metric(said, asked))]
    is_constant = len({predictions[at].text.strip() for at in judged}) == 1
    clusters = [examples[at].cluster or examples[at].id for at in judged]
    scores: dict[int, list[float]] = {at: [] for at in judged}
    for shift in range(N_SHIFTS):
        for at, other in zip(judged, _partners(clusters, random.Random(f"chance/{seed}/{shift}")), strict=False):
            target = examples[judged[other]]
            scores[at].append(metric(_carried(predictions[at], examples[at], target, keeps_text=is_constant), target))
    return [_mean(scores.get(at, ())) for at in range(len(examples))]


def below_chance(scores: Sequence[float], chance: Sequence[float], clusters: Sequence[str]) -> Estimate | None:
    """By how much scores are below chance, as a negative difference, if they are with 99.9 % confidence; else None.

    A system at chance is called below it in one of 1,000 runs: it is stopped for it, so this must be rare. One that
    always answers the same never is.

    Args:
        scores: one a question; nan = cannot be judged.
        chance: of shuffled_scores.
        clusters: the cluster of each question.
    """
    gap = estimate(
        [score - by_chance for score, by_chance in zip(scores, chance, strict=True)],
        clusters,
        binary=False,
        bounds=(-1.0, 1.0),
        confidence=0.998,
    )
    return gap if gap is not None and gap.high < 0 else None


def _score_of_gold(name: str, metric: Score, gold: str, example: Example) -> float:
    prediction = Prediction(example.id, gold, (), (), (), 0, "", 0, 0, {}, "answered", "stop")
    try:
        score = metric(prediction, example)
    except ValueError as fault:
        raise DataError(f"{name} cannot judge question {example.id}: {fault}") from fault
    if score < 1:
        raise DataError(
            f"{name} is {score:g} for the gold answer {gold!r} of question {example.id} but must be 1; mend the answer or its meta."
        )
    return score


def _partners(clusters: Sequence[str], rng: random.Random) -> list[int]:
    """A permutation without a fixed cluster: clusters in random order, turned by at least the size of the largest; [] if there is none."""
    members: dict[str, list[int]] = {}
    for at, cluster in enumerate(clusters):
        members.setdefault(cluster, []).append(at)
    n, largest = len(clusters), max(map(len, members.values()), default=1)
    if 2 * largest > n:
        return []
    blocks = rng.sample(list(members.values()), len(members))
    order = [at for block in blocks for at in rng.sample(block, len(block))]
    turn = rng.randint(largest, n - largest)
    partner = {at: order[(place + turn) % n] for place, at in enumerate(order)}
    return [partner[at] for at in range(n)]


def _carried(prediction: Prediction, source: Example, target: Example, keeps_text: bool) -> Prediction:
    """The prediction as if it had been made for another question: the option at the same place."""
    here, there = source.grading.choices, target.grading.choices
    if not here or not there:
        return prediction
    at = option_of(prediction.text, here)
    text = prediction.text if at is None or keeps_text else there[at] if at < len(there) else ""
    same = zip(prediction.likelihoods, there, strict=True) if len(here) == len(there) and prediction.likelihoods else ()
    return replace(prediction, text=text, likelihoods=tuple(replace(one, option=option) for one, option in same))


def _mean(scores: Sequence[float]) -> float:
    known = [score for score in scores if not math.isnan(score)]
    return statistics.fmean(known) if known else math.nan
