"""A run's record as MLflow's flat names: metrics, params and tags. Computes only; imports no MLflow."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict

from rag_eval.record.run_record import RunRecord

LONGEST = 200  # characters of a name; MLflow takes 250, and ends of intervals are added
_ILLEGAL = re.compile(r"[^/\w.\- :]")  # in MLflow's names of metrics and parameters
_ILLEGAL_PATH = re.compile(r"(?:^|/)(?:\.{0,2})(?=/|$)")  # parts that a path would lose: "", "." and ".."
ERROR = "rag_eval.error"  # the tag of a run that did not finish


def run_name(record: RunRecord) -> str:
    """What a person reads in a list of runs."""
    choices, dataset = record.facts.provenance.choices, record.facts.comparison.dataset_name
    source = str(choices.get("replay.path", "")).rstrip("/").rpartition("/")[2]
    if source:
        parts = [str(choices[name]) for name in ("replay.model", "replay.system") if name in choices]
        return " ".join([record.mode, source, *parts, dataset])
    return f"{record.mode} seed={record.facts.provenance.seed} {dataset}"


def params_of(record: RunRecord) -> dict[str, str]:
    """The choices; the whole configuration is an artifact."""
    return {legal_name(name): str(value) for name, value in record.facts.provenance.choices.items()}


def tags_of(record: RunRecord) -> dict[str, str]:
    """What runs are searched by."""
    comparison, provenance = record.facts.comparison, record.facts.provenance
    tags = {
        "mode": record.mode,
        "dataset": comparison.dataset_name,
        "dataset_digest": comparison.dataset,
        "base_model": comparison.base_model,
        "primary": comparison.primary,
        "base_weights": provenance.base_weights,
        "git_sha": provenance.git.commit,
        "config_hash": record.run_id,
        "rag_eval.kind": "run",
        "rag_eval.run_id": record.run_id,
        ERROR: record.error,
    }
    return {name: str(value) for name, value in tags.items() if value is not None}


def legal_name(name: str) -> str:
    """The name if MLflow takes it, else a like one; different names stay different.

    MLflow takes letters and digits of any script, slashes, underscores, hyphens, points, blanks and colons, and nothing that a
    path would shorten. Whatever else stands in the name becomes an underscore, and six digits of its hash are added.
    """
    legal = _ILLEGAL_PATH.sub(lambda found: found[0].replace(".", "_") if found[0].strip("/") else f"{found[0]}_", name)
    legal = _ILLEGAL.sub("_", legal)[:LONGEST]
    return legal if legal == name else f"{legal}_{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def metrics_of(record: RunRecord) -> dict[str, float]:
    """Finite numbers under slashed names; `_lo` and `_hi` end an interval. What was not measured is absent."""
    return {name: float(value) for name, value in _numbers(record) if isinstance(value, int | float) and math.isfinite(value)}


def _numbers(record: RunRecord) -> Iterator[tuple[str, object]]:
    for given, estimate in record.estimates.items():
        name = legal_name(given)
        yield from ((name, estimate.mean), (f"{name}_lo", estimate.low), (f"{name}_hi", estimate.high))
    for stage, spend in record.spends.items():
        yield from ((f"{stage}/{unit}", value) for unit, value in asdict(spend).items() if unit != "cached")
        yield f"{stage}/is_cached", int(spend.cached)
    outcomes = asdict(record.facts.outcomes)
    for group in ("seconds", "tokens", "counts", "throughput"):
        for name, value in outcomes[group].items():
            nested = value.items() if isinstance(value, Mapping) else ()
            yield from ((f"{group}/{name}_{part}", number) for part, number in nested)
            yield f"{group}/{name}", value  # a mapping is no number and is left out
