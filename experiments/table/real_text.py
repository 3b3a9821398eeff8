"""What needs no skill of the generator, on real text: whether a search finds the evidence in documents as they are.

The runs are those of `python -m experiments.retrieval`, with which they share folders, so that neither makes them twice.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from experiments.effects.arms import Plan
from experiments.retrieval import SETS
from experiments.study import Found, Run, recorded
from rag_eval.record.load import RecordedRun
from rag_eval.report.claims.claim import Measure, Measured, Missing, Results
from rag_eval.report.claims.numbers import mean_of

NAMED = ("GARD", "QED", "SQuAD2")  # of `SETS`
K = 10
MEASURE = f"retrieval/recall_{K}"
RETRIEVER = "bm25"  # which embeds nothing


def work_of(name: str) -> str:
    """What the measurement of a set is called."""
    return f"search in {name}"


def searches(plan: Plan) -> list[Run[Any, Any]]:
    """A run of each set; Missing where RAG_EVAL_DATA names no folder."""
    return [Run(work_of(name), partial(_searched, plan, name)) for name in NAMED]


def _searched(plan: Plan, name: str, _: Found[Any, Any]) -> RecordedRun | Missing:
    folder = os.environ.get("RAG_EVAL_DATA", "")
    if not folder or not Path(folder).is_dir():
        return Missing("RAG_EVAL_DATA names no folder of real data")
    return recorded(settings_in(plan, name, Path(folder).resolve()))


def settings_in(plan: Plan, name: str, data: Path) -> list[str]:
    """The settings of the run that searches one of the sets below a folder of real data."""
    own = ("tracking=none", "experiment_name=retrieval", f"output_dir={plan.output_dir}")
    return ["mode=retrieval", *(one.format(data=data) for one in SETS[name].overrides), f"retriever={RETRIEVER}", *own]


def recall(name: str) -> Measure:
    """The share of the evidence of a question among the first `K` passages."""

    def measure(found: Results, _: str) -> Measured:
        run: RecordedRun | Missing = found.work[work_of(name)]
        if isinstance(run, Missing):
            return run
        rows: Sequence[Any] = [row for row in run.rows.values() if row.get(MEASURE) is not None]
        values = [float(row[MEASURE]) for row in rows]
        return mean_of(values, [row["cluster"] for row in rows], is_share=set(values) <= {0.0, 1.0})

    return measure
