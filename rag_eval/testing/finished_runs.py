"""Finished run directories with given scores, made without a model: for tests and studies of what is computed from runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rag_eval.record.facts import RunFacts
from rag_eval.record.facts_json import read_facts
from rag_eval.record.load import RecordedRun, read_run
from rag_eval.record.run_directory import RunDirectory
from rag_eval.record.score_rows import from_row
from rag_eval.score.aggregate import estimates
from rag_eval.score.metric import Declaration
from rag_eval.score.older_names import older_declarations
from rag_eval.score.scoring import Scoring
from rag_eval.types import Prediction, Spend

AUDIT = {
    "n_documents": 100,
    "n_distractors_min": 99,
    "n_facts": 40,
    "n_facts_in_corpus": 40,
    "n_facts_in_training": 40,
    "n_shared_8_grams": 0,
    "n_before_training": 0,
}
COMPARISON = {
    "dataset": "d" * 64,
    "dataset_name": "made",
    "base_model": "m" * 64,
    "dtype": "float32",
    "decoding": "greedy",
    "prompt": "p",
    "questions": "q",
    "scorer": "s",
    "adapter_mode": None,
}


def facts(mode: str, n: int, **changes: Any) -> RunFacts:
    """The facts that a run records.

    Args:
        mode: mode of the run.
        n: number of its questions, all answerable.
        **changes: facts by their names in run.json, in place of those here; `comparison` and `audit` change single fields.

    Returns:
        The facts.
    """
    made: dict[str, Any] = {
        "mode": mode,
        "context": "none",
        "weights": "base",
        "seed": 0,
        "choices": {"mode": mode, "seed": 0},
        "source": "code",
        "git": {"commit": "c" * 40, "dirty": False},
        "versions": {"python": "3.11.2", "torch": "2.11.0"},
        "hardware": {"device": "cpu", "cpu": "a cpu", "n_cores": 2},
        "counts": {
            "n_questions": n,
            "n_answerable": n,
            "n_unanswerable": 0,
            "n_error": 0,
            "n_malformed": 0,
            "n_cut_answers": 0,
            "n_truncated_questions": 0,
        },
        "seconds": {},
        "tokens": {"prompt_mean": 40.0, "output_mean": 2.0},
    }
    merged = {"comparison": {**COMPARISON, **changes.pop("comparison", {})}, "audit": {**AUDIT, **changes.pop("audit", {})}}
    return read_facts({**made, **merged, **changes})


def write_run(
    root: Path,
    run_id: str,
    mode: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    experiment: str = "study",
    spends: Mapping[str, Spend] | None = None,
    predictions: Mapping[str, Mapping[str, Any]] | None = None,
    extra: Mapping[str, Any] | None = None,
    **changes: Any,
) -> RecordedRun:
    """Write a finished run with given scores; two consecutive questions form a cluster.

    Args:
        root: folder of all experiments.
        run_id: any plain name.
        mode: mode of the run.
        rows: scores of each question, without id and cluster.
        experiment: name of the experiment.
        spends: spends by stage; None = a fixed learn and answer.
        predictions: changed fields of a question's prediction, by question id.
        extra: further estimates by tracked name.
        **changes: see `facts`.

    Returns:
        The run, read back from disk.
    """
    whole = [{"example_id": f"q{at}", "cluster": f"c{at // 2}", "is_answerable": True, **row} for at, row in enumerate(rows)]
    scored = [from_row(row) for row in whole]
    primary = facts(mode, len(whole), **changes).comparison.primary
    found = {**estimates(scored, Scoring(older_declarations(()), primary)), **(extra or {})}
    recorded = facts(mode, len(whole), **{"metrics": _plain(older_declarations(found)), **changes})
    run = RunDirectory.open(root, experiment, run_id)
    run.begin("seed: 0\n", recorded)
    run.append([_prediction(str(row["example_id"]), (predictions or {}).get(str(row["example_id"]), {})) for row in whole])
    run.finish(scored, spends or {"learn": Spend(1.0, stored_bytes=10), "answer": Spend(2.0)}, found, recorded)
    return read_run(run.path)


def _plain(declared: Mapping[str, Declaration]) -> dict[str, dict[str, Any]]:
    return {name: asdict(one) for name, one in declared.items()}


def _prediction(id: str, changes: Mapping[str, Any]) -> Prediction:
    plain: dict[str, Any] = {
        "example_id": id,
        "text": "x",
        "retrieved": (),
        "retrieved_scores": (),
        "in_prompt": (),
        "n_truncated": 0,
        "prompt_sha": f"sha-{id}",
        "n_prompt_tokens": 40,
        "n_output_tokens": 2,
        "seconds": {"generate": 0.5},
        "outcome": "answered",
        "stop_reason": "stop",
    }
    return Prediction(**{**plain, **changes})
