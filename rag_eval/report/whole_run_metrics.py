"""Metrics of whole runs: computed when a report is made, for what answers cost is told by a price sheet that the reader chooses."""

from __future__ import annotations

import math

from rag_eval.older_targets import current
from rag_eval.record.load import RecordedRun
from rag_eval.report.priced_arms import Terms, right_of_questions, usd_of_questions
from rag_eval.report.table import Figure
from rag_eval.score.metric import Declaration, RunColumns, metric
from rag_eval.score.scoring import scoring_of
from rag_eval.targets import is_ours

UNPRICED = "give hardware= and utilisation="


def whole_run_figures(run: RecordedRun, terms: Terms | None) -> dict[str, Figure]:
    """All metrics that a run declares of itself as a whole.

    Args:
        run: the run.
        terms: terms by which answers are priced; None or machine seconds = metrics that need a price are not measured.

    Returns:
        Numbers by tracked name.
    """
    scoring = scoring_of(run.record)
    is_priced = terms is not None and terms.is_money
    columns = RunColumns(
        right=right_of_questions(run, scoring.primary),
        usd=list(usd_of_questions(run, terms).values()) if terms is not None and is_priced else [math.nan] * len(run.questions),
        clusters=[one.cluster for one in run.questions.values()],
    )
    note = "" if is_priced else UNPRICED
    return {name: _figure(one, columns, note) for name, one in scoring.declared.items() if one.judges == "run"}


def _figure(declaration: Declaration, columns: RunColumns, note: str) -> Figure:
    target = current(declaration.function)
    try:
        found = metric(target).function(columns) if is_ours(target) else None
    except (ImportError, AttributeError):
        return Figure(None, note=f"this version has no {target}")
    if found is None or math.isnan(found.value):
        return Figure(None, note=note)
    least, most = declaration.ends
    return Figure(found.value, max(least, found.low), min(most, found.high), found.n, found.n_clusters)
