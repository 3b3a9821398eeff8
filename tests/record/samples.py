"""What tests of recording and reporting record."""

from __future__ import annotations

from typing import Any

from rag_eval.record.facts_json import read_facts
from rag_eval.types import Estimate, Prediction, Spend

PLAIN_FACTS: dict[str, Any] = {
    "mode": "rag",
    "context": "retrieved",
    "weights": "base",
    "source": "s" * 16,
    "audit": {
        "n_documents": 100,
        "n_distractors_min": 99,
        "n_facts": 2,
        "n_facts_in_corpus": 2,
        "n_facts_in_training": 0,
        "n_shared_8_grams": 0,
        "n_before_training": 0,
    },
    "seed": 3,
    "choices": {"mode": "rag", "retriever.k": 3},
    "comparison": {
        "dataset": "d" * 64,
        "dataset_name": "world-ci",
        "base_model": "m" * 64,
        "decoding": "greedy",
        "prompt": "p" * 64,
        "questions": "q" * 64,
        "scorer": "s" * 12,
    },
    "git": {"commit": "c" * 40, "dirty": False},
    "hardware": {"device": "cpu", "cpu": "a cpu", "n_cores": 2},
    "counts": {"n_questions": 2, "n_answerable": 2, "n_unanswerable": 0, "n_cut_answers": 0, "n_truncated_questions": 0},
    "seconds": {"e2e": {"p50": 0.25, "mean": 0.5}},
    "tokens": {"prompt_mean": 40.0, "output_mean": 2.0},
}
FACTS = read_facts(PLAIN_FACTS)
ESTIMATES = {"answer/em": Estimate(0.91, 0.88, 0.93, 500, 60), "answer/f1": Estimate(float("nan"), 0.0, 1.0, 0, 0)}
SPENDS = {"learn": Spend(seconds=None, cached=True), "answer": Spend(seconds=1.5, peak_bytes=1000)}


def prediction(id: str, **changes: Any) -> Prediction:
    """An answer to the question of that id."""
    fields: dict[str, Any] = {
        "example_id": id,
        "text": "café | `x`\u2028",
        "retrieved": ("d1", "d2"),
        "retrieved_scores": (0.1 + 0.2, -1e-30),
        "in_prompt": ("d1",),
        "n_truncated": 0,
        "prompt_sha": "abc",
        "n_prompt_tokens": 10,
        "n_output_tokens": 2,
        "seconds": {"search": 1 / 3},
        "outcome": "answered",
        "stop_reason": "stop",
    }
    return Prediction(**{**fields, **changes})
