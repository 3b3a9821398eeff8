"""The facts of a run as JSON: how this version writes them, and the one reader of what any version wrote.

In JSON the facts of provenance, data and outcomes stand side by side, and those of `comparison` under that name:

    {"mode": "rag", "git": {"commit": ...}, ..., "comparison": {"dataset": ...}, "audit": {...}, ..., "counts": {...}, ...}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any

from rag_eval.older_targets import current_choices
from rag_eval.record.facts import DataAudit, Outcomes, Provenance, RunFacts
from rag_eval.record.serialize import from_plain, to_plain
from rag_eval.score.older_names import older_declarations, with_label
from rag_eval.score.primary import EM

GROUPS = {"provenance": Provenance, "data": DataAudit, "outcomes": Outcomes}


def to_json(facts: RunFacts) -> dict[str, Any]:
    """The facts as run.json holds them; every key is there, null = not measured."""
    plain = to_plain(facts)
    return {**plain["provenance"], "comparison": plain["comparison"], **plain["data"], **plain["outcomes"]}


def grouped(plain: Mapping[str, Any], estimates: Iterable[str]) -> dict[str, Any]:
    """The facts of a record in the groups of `RunFacts`, what earlier versions left out or put otherwise filled in.

    Args:
        plain: as any version wrote them; keys that are not known are passed over.
        estimates: the tracked names of what the run estimated, by which a version that declared no metrics is read.

    Returns:
        The fields of each group, by the name of the group.

    Raises:
        TypeError, AttributeError: something that must be an object is not one.
    """
    known = _of_this_version(plain, estimates)
    groups = {group: {one.name: known[one.name] for one in fields(kind) if one.name in known} for group, kind in GROUPS.items()}
    return {"comparison": known["comparison"], **groups} if "comparison" in known else groups


def read_facts(plain: Mapping[str, Any], estimates: Iterable[str] = ()) -> RunFacts:
    """Facts from JSON of any version; see `grouped`. Raises ValueError where something does not fit."""
    return from_plain(RunFacts, grouped(plain, estimates))


def _of_this_version(plain: Mapping[str, Any], estimates: Iterable[str]) -> dict[str, Any]:
    known = dict(plain)
    if "comparison" in known:
        known["comparison"] = {"primary": EM, **known["comparison"]}  # the only primary score there was
    if "choices" in known:
        known["choices"] = {name: _choice(value) for name, value in current_choices(known["choices"]).items()}
    if known.get("training"):
        known["training"] = {"kept_step": known["training"].get("n_steps"), **known["training"]}  # the last one always was
    if known.get("decoded") == {}:
        known["decoded"] = None  # nothing was
    if "metrics" in known:
        known["metrics"] = {name: with_label(name, one) for name, one in known["metrics"].items()}
    else:
        known["metrics"] = {name: asdict(one) for name, one in older_declarations(estimates).items()}
    return known


def _choice(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | dict) else value
