"""A run's record as MLflow's flat names: metrics, params and tags. Computes only; imports no MLflow."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from rag_eval.cost.prices import PriceSheet, price
from rag_eval.record.content import content_of
from rag_eval.record.run_record import RunRecord
from rag_eval.track.traces import model_name

LONGEST = 200  # characters of a name; MLflow takes 250, and ends of intervals are added
_ILLEGAL = re.compile(r"[^/\w.\- :]")  # in MLflow's names of metrics and parameters
_ILLEGAL_PATH = re.compile(r"(?:^|/)(?:\.{0,2})(?=/|$)")  # parts that a path would lose: "", "." and ".."
ERROR = "rag_eval.error"  # the tag of a run that did not finish
SEPARATOR = " · "
HEADLINE = "headline/"
SCORES = {"exact_match": "answer/em", "contains": "answer/contains", "f1": "answer/f1", "stale_answers": "answer/stale"}
P95 = "latency/e2e_p95_ms"
ARM = "rag_eval.arm"  # the tag by which runs that would have one name are found


def run_name(record: RunRecord, others: Sequence[Mapping[str, str]] = ()) -> str:
    """What a person reads in a list of runs, as in "rag · SmolLM2-135M-Instruct · seed 0".

    Args:
        record: of the run.
        others: params of the runs that would be called the same without them; the choices in which this one differs are added, at most
            three, else the beginning of its id.

    Returns:
        The name.
    """
    choices, comparison = record.facts.provenance.choices, record.facts.comparison
    source = str(choices.get("replay.path", "")).rstrip("/").rpartition("/")[2]
    if source:
        parts = [str(choices[name]) for name in ("replay.model", "replay.system") if name in choices]
        name = SEPARATOR.join([record.mode, source, *parts, short_name(comparison.dataset_name)])
    else:
        model = model_name(choices) if comparison.base_model is not None else ""
        name = SEPARATOR.join([record.mode, *([model] if model else []), f"seed {record.facts.provenance.seed}"])
    if not others:
        return name
    mine = params_of(record)
    differing = [one for one in mine if any(other.get(one) != mine[one] for other in others)]
    added = [f"{one}={mine[one].rstrip('/').rpartition('/')[2]}" for one in differing[:3]]
    return SEPARATOR.join([name, *(added or [record.run_id[:8]])])


def short_name(dataset: str) -> str:
    """A dataset as a list of runs has room for: the last part of a path, at most 40 characters."""
    name = dataset.rstrip("/").rpartition("/")[2] or dataset
    return name if len(name) <= 40 else f"{name[:39]}…"


def headline(record: RunRecord, latencies: Mapping[str, float], sheet: PriceSheet | None, utilisation: float | None) -> dict[str, float]:
    """The few numbers by which arms stand side by side, as columns of a list of runs.

    Args:
        record: of the run.
        latencies: of its sessions, by tracked name.
        sheet: prices; None = money is not measured.
        utilisation: share of the paid hours in which the machine does such work.

    Returns:
        Numbers by name, unrounded; what was not measured is absent.
    """
    found = {f"{HEADLINE}{name}": record.estimates[tracked].mean for name, tracked in SCORES.items() if tracked in record.estimates}
    if P95 in latencies:
        found[f"{HEADLINE}p95_ms"] = latencies[P95]
    if sheet is not None and utilisation is not None:
        for name, stage, per in (("usd_per_1000_questions", "answer", 1000), ("learn_usd", "learn", None)):
            n = record.facts.outcomes.counts.n_questions
            usd = price(record.spends[stage], sheet, utilisation).usd if stage in record.spends else None
            if usd is not None and (per is None or n):
                found[f"{HEADLINE}{name}"] = usd if per is None else usd / (n or 1) * per
    return {name: value for name, value in found.items() if math.isfinite(value)}


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
        "adapter": _adapter(record),
        "mlflow.runType": "genai_evaluate",  # as mlflow.genai.evaluate marks runs whose traces are compared
        "rag_eval.kind": "run",
        "rag_eval.run_id": record.run_id,
        ERROR: record.error,
    }
    return {name: str(value) for name, value in tags.items() if value is not None}


def _adapter(record: RunRecord) -> str | None:
    """Trained weights by reference; None = there are none. They stay where they are."""
    choices = record.facts.provenance.choices
    named = [str(one) for name, one in choices.items() if one and (name == "adapter.path" or name.startswith("adapter.paths."))]
    if named:
        return ", ".join(f"{path} ({content_of(path) or 'not on this machine'})" for path in named)
    if not record.facts.provenance.is_trained:
        return None
    stored = record.spends["learn"].stored_bytes if "learn" in record.spends else None
    return f"trained by this run{'' if stored is None else f', {stored} bytes'}, in the cache that config.yaml names"


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
