"""Declarations of metrics for runs that were recorded before declarations were stored with a run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from rag_eval.score.metric import Declaration
from rag_eval.score.primary import CONTAINS, EM, F1

_RECALL = re.compile(r"retrieval/recall_(\d+)")
_LOWER = Declaration(better="lower")

OLDER_NAMES: Mapping[str, Declaration] = {
    EM: Declaration(title="EM", asks="form", tells_right=True),
    "answer/em_extracted": Declaration(asks="form", tells_right=True),
    "answer/choice_text": Declaration(asks="form", tells_right=True),
    CONTAINS: Declaration(title="contains", asks="content", tells_right=True),
    F1: Declaration(title="F1", asks="words"),
    **dict.fromkeys(("answer/f1_extracted", "answer/recall", "answer/rouge_l"), Declaration(asks="words")),
    "outcome/right": Declaration(follows_primary=True),
    "outcome/wrong": Declaration(better="lower", follows_primary=True),
    **dict.fromkeys(("outcome/abstained", "outcome/malformed", "answer/distracted", "answer/stale", "answer/misled"), _LOWER),
    "answer/reliability": Declaration(low=-1.0),
    "abstain/answerable": _LOWER,
    "abstain/unanswerable": Declaration(judges="unanswerable", title="abstains if unanswerable"),
}


def older_declarations(estimates: Iterable[str]) -> Mapping[str, Declaration]:
    """Declarations by tracked name, including recall at each depth that the run estimated (at 1 if it estimated none)."""
    depths = {int(found[1]) for name in estimates if (found := _RECALL.fullmatch(name))}
    recall = {f"retrieval/recall_{k}": Declaration(title=f"recall@{k}", k=k) for k in sorted(depths or {1})}
    return {**OLDER_NAMES, **recall}
