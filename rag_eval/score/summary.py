"""Predictions to rows of scores, and rows to estimates. Nothing is rounded and nobody is dropped."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rag_eval.parts import Metric
from rag_eval.score.estimate import estimate
from rag_eval.score.retrieval import hit_at_k, ndcg_at_k, recall_at_k, reciprocal_rank
from rag_eval.types import Estimate, Example, Prediction

Row = dict[str, Any]  # example_id, cluster, is_answerable, then the scores by slashed name; nan = cannot be judged

RANKED = ("retrieved", "random")  # contexts whose order is a ranking


@dataclass(frozen=True)
class Scorer:
    """What is scored: answers by named metrics, retrieval at several depths."""

    answer: Mapping[str, Metric]
    retrieval_k: Sequence[int]
    depth: int  # how many documents were searched; deeper scores are not available
    context: str

    def row(self, prediction: Prediction, example: Example) -> Row:
        """All scores of one question."""
        row: Row = {"example_id": example.id, "cluster": example.cluster or example.id, "is_answerable": example.is_answerable}
        for name, metric in self.answer.items():
            group = "answer" if name != "abstained" else "abstain"
            which = name if name != "abstained" else "answerable" if example.is_answerable else "unanswerable"
            row[f"{group}/{which}"] = metric(prediction, example)
        return row | self._retrieval(prediction, example)

    def _retrieval(self, prediction: Prediction, example: Example) -> Row:
        evidence = example.evidence if example.is_answerable else ()
        scores: Row = {}
        if self.context in RANKED:
            found = prediction.retrieved
            for k in self.retrieval_k:
                if k <= self.depth:
                    scores[f"retrieval/hit_{k}"] = hit_at_k(found, evidence, k)
                    scores[f"retrieval/recall_{k}"] = recall_at_k(found, evidence, k)
            deepest = max((k for k in self.retrieval_k if k <= self.depth), default=self.depth)
            scores[f"retrieval/mrr_{deepest}"] = reciprocal_rank(found, evidence, deepest)
            scores[f"retrieval/ndcg_{deepest}"] = ndcg_at_k(found, evidence, deepest)
        if self.context != "none":
            held = set(evidence) <= set(prediction.in_prompt)
            scores["prompt/holds_evidence"] = float(held) if evidence else math.nan
        return scores


def estimates(rows: Sequence[Row]) -> dict[str, Estimate]:
    """Mean and interval of every score that could be judged for some question."""
    names = dict.fromkeys(name for row in rows for name in row if "/" in name)
    clusters = [row["cluster"] for row in rows]
    values = {name: [row.get(name, math.nan) for row in rows] for name in names}
    found = {name: estimate(scores, clusters, binary=_is_binary(scores)) for name, scores in values.items()}
    return {name: one for name, one in found.items() if one is not None}


def _is_binary(scores: Sequence[float]) -> bool:
    return all(score in (0.0, 1.0) or math.isnan(score) for score in scores)


def seconds(predictions: Sequence[Prediction]) -> dict[str, dict[str, float]]:
    """Median and mean wall seconds a question, by stage and end to end (the sum of the stages)."""
    stages: dict[str, Callable[[Prediction], float]] = {}
    for name in dict.fromkeys(stage for prediction in predictions for stage in prediction.seconds):
        stages[name] = lambda prediction, name=name: prediction.seconds.get(name, 0.0)  # type: ignore[misc]
    stages["e2e"] = lambda prediction: sum(prediction.seconds.values())
    return {
        name: {"p50": statistics.median(map(of, predictions)), "mean": statistics.fmean(map(of, predictions))}
        for name, of in stages.items()
        if predictions
    }


def counts(predictions: Sequence[Prediction], examples: Sequence[Example]) -> dict[str, int]:
    """How many questions there were, of which kind, and what went wrong with them."""
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
