"""What a reader calls a tracked name: `answer/em` is "exact match". Metrics declare it; here is what no metric declares.

Programs go on by the tracked names, which MLflow, run.json and the JSON of reports keep.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from rag_eval.score.metric import Declaration
from rag_eval.score.older_names import OLDER_NAMES
from rag_eval.score.primary import TRAIN_PHRASING
from rag_eval.types import DISAGREEMENT

LABELS: Mapping[str, str] = {
    DISAGREEMENT: "answers that change one by one",
    "forgetting/reading_em_base": "reading, base model: exact match",
    "forgetting/reading_em": "reading, trained: exact match",
    "forgetting/reading_change": "reading, change of exact match",
    "forgetting/nats_per_token_base": "prose, base model: nats a token",
    "forgetting/nats_per_token_change": "prose, change of nats a token",
    "forgetting/kl_nats": "KL from the base model, nats",
    "throughput/queries_per_s": "questions a second",
    "throughput/tokens_per_s": "output tokens a second",
}
_LATENCY = re.compile(r"latency/(\w+)_p(\d+)_ms")
_TIMED = {"e2e": "end to end", "ttft": "first token", "tpot": "each further token"}  # others are stages, by their own names
_STRATUM = re.compile(r"strata/([^/]+)/(.*)", re.DOTALL)


def label_of(measure: str, declared: Mapping[str, Declaration] = OLDER_NAMES, primary: str = "") -> str:
    """What a reader calls a measure.

    Args:
        measure: its tracked name.
        declared: by tracked name; what they call themselves comes first. Without any, what usual measures are called.
        primary: the score that strata are of.

    Returns:
        The name in reports.
    """
    if measure.endswith(TRAIN_PHRASING):
        return f"{label_of(measure.removesuffix(TRAIN_PHRASING), declared)}, training questions"
    if found := _STRATUM.fullmatch(measure):
        return f"{label_of(primary, declared)}, {found[1]}: {found[2]}"
    if found := _LATENCY.fullmatch(measure):
        return f"{timed_label(found[1])}, p{found[2]}, ms"
    declaration = declared.get(measure)
    own = declaration.label if declaration is not None else ""
    return own or LABELS.get(measure) or _from_name(measure, None if declaration is None else declaration.k)


def timed_label(name: str) -> str:
    """What a reader calls a time that is measured: a stage, or all of them."""
    return _TIMED.get(name, _words(name))


def _from_name(measure: str, k: int | None) -> str:
    """Words made of a tracked name: `answer/n_smiles` is "n smiles", `cost/smiles` "cost: smiles", at a depth "smiles@5"."""
    group, _, name = measure.rpartition("/")
    words = _words(name if k is None else name.removesuffix(f"_{k}")) + (f"@{k}" if k is not None and name.endswith(f"_{k}") else "")
    return words if group in ("", "answer", "retrieval") else f"{group}: {words}"


def _words(name: str) -> str:
    return name.replace("_", " ")
