"""Declarations of metrics for runs that were recorded before declarations were stored with a run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from rag_eval.score.metric import Declaration
from rag_eval.score.primary import CONTAINS, EM, F1

_RECALL = re.compile(r"retrieval/recall_(\d+)")

OLDER_NAMES: Mapping[str, Declaration] = {
    EM: Declaration(label="exact match", asks="form", tells_right=True, is_column=True),
    "answer/em_extracted": Declaration(label="exact match, extracted", asks="form", tells_right=True),
    "answer/choice_text": Declaration(label="option named", asks="form", tells_right=True),
    CONTAINS: Declaration(label="contains", asks="content", tells_right=True, is_column=True),
    F1: Declaration(label="F1", asks="words", is_column=True),
    "answer/f1_extracted": Declaration(label="F1, extracted", asks="words"),
    "answer/recall": Declaration(label="token recall", asks="words"),
    "answer/rouge_l": Declaration(label="ROUGE-L", asks="words"),
    "outcome/right": Declaration(label="right answers", follows_primary=True),
    "outcome/wrong": Declaration(label="wrong answers", better="lower", follows_primary=True),
    "outcome/abstained": Declaration(label="abstains", better="lower"),
    "outcome/malformed": Declaration(label="malformed answers", better="lower"),
    "answer/distracted": Declaration(label="distracted answers", better="lower"),
    "answer/stale": Declaration(label="outdated answers", better="lower"),
    "answer/misled": Declaration(label="misled answers", better="lower"),
    "answer/reliability": Declaration(label="reliability", low=-1.0),
    "abstain/answerable": Declaration(label="says unknown when answerable", better="lower"),
    "abstain/unanswerable": Declaration(label="says unknown when unanswerable", judges="unanswerable", is_column=True),
}


def older_declarations(estimates: Iterable[str]) -> Mapping[str, Declaration]:
    """Declarations by tracked name, including recall at each depth that the run estimated (at 1 if it estimated none)."""
    depths = {int(found[1]) for name in estimates if (found := _RECALL.fullmatch(name))}
    recall = {f"retrieval/recall_{k}": Declaration(label=f"recall@{k}", k=k, is_column=True) for k in sorted(depths or {1})}
    return {**OLDER_NAMES, **recall}


def with_label(name: str, plain: Mapping[str, Any]) -> Mapping[str, Any]:
    """A recorded declaration; versions without labels recorded the title of a column, "" where there was none."""
    if "title" not in plain:
        return plain
    own = OLDER_NAMES[name].label if name in OLDER_NAMES else plain["title"]
    return {"label": own, "is_column": plain["title"] != "", **plain}
