"""A run's record as MLflow's flat names: metrics, params and tags. Computes only; imports no MLflow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict

from rag_eval.record.run_record import RunRecord

ERROR = "rag_eval.error"  # the tag of a run that did not finish


def run_name(record: RunRecord) -> str:
    """What a person reads in a list of runs."""
    source = str(record.facts.get("choices", {}).get("replay.path", "")).rstrip("/").rpartition("/")[2]
    if source:
        parts = [str(record.facts["choices"][name]) for name in ("replay.model", "replay.system") if name in record.facts["choices"]]
        return " ".join([record.mode, source, *parts, str(record.facts["comparison"]["dataset_name"])])
    return f"{record.mode} seed={record.facts.get('seed')} {record.facts['comparison']['dataset_name']}"


def params_of(record: RunRecord) -> dict[str, str]:
    """The choices; the whole configuration is an artifact."""
    return {name: str(value) for name, value in record.facts.get("choices", {}).items()}


def tags_of(record: RunRecord) -> dict[str, str]:
    """What runs are searched by."""
    comparison, git = record.facts["comparison"], record.facts.get("git", {})
    tags = {
        "mode": record.mode,
        "dataset": comparison["dataset_name"],
        "dataset_digest": comparison["dataset"],
        "base_model": comparison.get("base_model"),
        "base_weights": record.base_weights,
        "git_sha": git.get("commit"),
        "config_hash": record.run_id,
        "rag_eval.kind": "run",
        "rag_eval.run_id": record.run_id,
        ERROR: record.error,
    }
    return {name: str(value) for name, value in tags.items() if value is not None}


def metrics_of(record: RunRecord) -> dict[str, float]:
    """Finite numbers under slashed names; `_lo` and `_hi` end an interval. What was not measured is absent."""
    return {name: float(value) for name, value in _numbers(record) if isinstance(value, int | float) and math.isfinite(value)}


def _numbers(record: RunRecord) -> Iterator[tuple[str, object]]:
    for name, estimate in record.estimates.items():
        yield from ((name, estimate.mean), (f"{name}_lo", estimate.low), (f"{name}_hi", estimate.high))
    for stage, spend in record.spends.items():
        yield from ((f"{stage}/{unit}", value) for unit, value in asdict(spend).items() if unit != "cached")
        yield f"{stage}/is_cached", int(spend.cached)
    for group in ("seconds", "tokens", "counts", "throughput"):
        for name, value in record.facts.get(group, {}).items():
            nested = value.items() if isinstance(value, Mapping) else ()
            yield from ((f"{group}/{name}_{part}", number) for part, number in nested)
            yield f"{group}/{name}", value  # a mapping is no number and is left out
