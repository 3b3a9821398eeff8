"""Checks of the scoring: gold answers must score 1, and no system may score significantly below chance.

Both detect faults of data and scoring, such as options numbered from 1 in one place and from 0 in another.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from rag_eval.errors import DataError
from rag_eval.score.comparators import option_of
from rag_eval.score.metric import Metric
from rag_eval.stats.estimate import estimate
from rag_eval.types import Estimate, Example, Prediction

Score = Callable[[Prediction, Example], float]  # nan = this question cannot be judged

N_SHIFTS = 8  # random pairings with other questions' gold answers; more of them reduce the variance


def gold_scores(metrics: Mapping[str, Metric], examples: Sequence[Example]) -> dict[str, float]:
    """Lowest score of a gold answer used as the prediction, by metric.

    Args:
        metrics: metrics by name; those that do not declare `gold_scores_1` are skipped. Metrics of likelihoods give nan.
        examples: questions; unanswerable ones are skipped.

    Returns:
        1 for each metric, or nan if no question could be judged.

    Raises:
        DataError: at the first score below 1, or if a metric rejects a gold answer; names metric, question and answer.
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
    """Chance score of each prediction: its mean score against the gold answers of questions of other clusters.

    Every pairing is a permutation of the questions, so a system that always gives the same answer has exactly its own score as
    chance score. A chosen option is mapped by its position among the choices, because other questions have other choices; a text
    that is the same in all predictions is not mapped.

    Args:
        metric: scoring function.
        predictions: one per question, in the order of the examples.
        examples: all questions.
        seed: seed of the pairings.

    Returns:
        One value per question; nan if the question cannot be judged, or for all questions if one cluster has more than half of
        them and no pairing exists.
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
    """Difference of scores and chance scores if it is below 0 with 99.9 % confidence.

    The run is stopped in that case, so the error rate is kept at 1 in 1,000 for a system at chance. The difference of a system
    that always gives the same answer is 0.

    Args:
        scores: one per question; nan = cannot be judged.
        chance: result of `shuffled_scores`.
        clusters: the cluster of each question.

    Returns:
        The mean difference (negative) with a 99.8 % interval; None if it does not lie below 0.
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
    """A permutation that maps no element to its own cluster; [] if none exists.

    Clusters are put in random order and rotated by at least the size of the largest.

    Args:
        clusters: cluster of each element.
        rng: random generator.

    Returns:
        For each element the index of its partner.
    """
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
    """The prediction transferred to another question: the option at the same position."""
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
