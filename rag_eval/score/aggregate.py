"""Aggregation of question scores to estimates, and of predictions to counts, seconds and tokens, all unrounded."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence

from rag_eval.score.scorer import STRATA
from rag_eval.score.scoring import Scoring
from rag_eval.types import Estimate, Example, Prediction, QuestionScores


def estimates(questions: Sequence[QuestionScores], scoring: Scoring) -> dict[str, Estimate]:
    """Mean and interval of every score judged on at least one question, and of the primary score also per stratum."""
    names = dict.fromkeys(name for one in questions for name in one.scores)
    found = {name: _mean(name, questions, scoring) for name in names}
    return {name: one for name, one in found.items() if one is not None} | _strata(questions, scoring)


def _mean(measure: str, questions: Sequence[QuestionScores], scoring: Scoring) -> Estimate | None:
    return scoring.mean(measure, [one.score(measure) for one in questions], [one.cluster for one in questions])


def _strata(questions: Sequence[QuestionScores], scoring: Scoring) -> dict[str, Estimate]:
    """Estimates of the primary score per stratum, for keys with more than one value."""
    found: dict[str, Estimate] = {}
    asked = [one for one in questions if one.is_answerable and not math.isnan(one.score(scoring.primary))]
    for key in STRATA:
        values = sorted({str(one.strata[key]) for one in asked if key in one.strata})
        for value in values if len(values) > 1 else ():
            group = [one for one in asked if str(one.strata.get(key)) == value]
            mean = _mean(scoring.primary, group, scoring)
            if mean is not None:
                found[f"strata/{key}/{value}"] = mean
    return found


def seconds(predictions: Sequence[Prediction]) -> dict[str, dict[str, float]]:
    """Median and mean wall time per question in seconds, by stage and end to end; {} if a question was not timed.

    Args:
        predictions: all answers of a run.

    Returns:
        `p50` and `mean` by stage; `e2e` is the sum of the stages.
    """
    if not predictions or not all(prediction.seconds for prediction in predictions):
        return {}
    stages: dict[str, Callable[[Prediction], float]] = {}
    for name in dict.fromkeys(stage for prediction in predictions for stage in prediction.seconds):
        stages[name] = lambda prediction, name=name: prediction.seconds.get(name, 0.0)  # type: ignore[misc]
    stages["e2e"] = lambda prediction: sum(prediction.seconds.values())
    return {
        name: {"p50": statistics.median(map(of, predictions)), "mean": statistics.fmean(map(of, predictions))}
        for name, of in stages.items()
    }


def tokens(predictions: Sequence[Prediction]) -> dict[str, float | None]:
    """Mean number of prompt and output tokens per question; None if they were not counted for all."""
    return {
        "prompt_mean": _mean_count([one.n_prompt_tokens for one in predictions]),
        "output_mean": _mean_count([one.n_output_tokens for one in predictions]),
    }


def _mean_count(counts: Sequence[int | None]) -> float | None:
    known = [count for count in counts if count is not None]
    return statistics.fmean(known) if known and len(known) == len(counts) else None


def searches_per_s(predictions: Sequence[Prediction]) -> float | None:
    """Search throughput in questions per second, batches in sequence; None if searching was not timed."""
    spent = [sum(one.seconds.get(stage, 0.0) for stage in ("embed", "search", "rerank")) for one in predictions]
    return len(spent) / sum(spent) if spent and all(spent) else None


def counts(predictions: Sequence[Prediction], examples: Sequence[Example]) -> dict[str, int]:
    """Number of questions by kind, outcome and truncation."""
    outcomes = [prediction.outcome for prediction in predictions]
    return {
        "n_questions": len(examples),
        "n_answerable": sum(example.is_answerable for example in examples),
        "n_unanswerable": sum(not example.is_answerable for example in examples),
        **{f"n_{outcome}": outcomes.count(outcome) for outcome in ("answered", "abstained", "malformed", "error")},
        "n_cut_answers": sum(prediction.stop_reason == "length" for prediction in predictions),
        "n_truncated_questions": sum(prediction.n_truncated > 0 for prediction in predictions),
        "n_truncated_passages": sum(prediction.n_truncated for prediction in predictions),
    }
