"""Metrics of whole runs: computed when a report is made, for what answers cost is told by a price sheet that the reader chooses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rag_eval.older_targets import current
from rag_eval.report.recorded_run import RecordedRun
from rag_eval.report.sections import Cell, Figure, Section
from rag_eval.report.spending import Terms, right_of_questions, usd_of_questions
from rag_eval.score.metric import Declaration, RunColumns, metric
from rag_eval.score.scoring import Scoring, scoring_of
from rag_eval.targets import is_ours

UNPRICED = "give hardware= and utilisation="


def whole_run_figures(run: RecordedRun, terms: Terms | None) -> dict[str, Figure]:
    """Every metric that a run declares of itself as a whole, by tracked name.

    Args:
        run: with its questions.
        terms: by which answers are priced; None, or seconds of the machine, = what needs a price is not measured.
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


def whole_runs_section(labels: Sequence[str], runs: Sequence[RecordedRun], terms: Terms) -> Section | None:
    """One line a metric; None where no run declares any."""
    scoring = scoring_of(*(run.record for run in runs))
    found = [whole_run_figures(run, terms) for run in runs]
    names = [name for name, one in scoring.declared.items() if one.judges == "run"]
    rows: list[tuple[Cell, ...]] = []
    for name in names:
        figures = {label: each.get(name, Figure(None)) for label, each in zip(labels, found, strict=True)}
        rows.append((name, *figures.values(), ", ".join(ranked(figures, name, scoring)) or "not measured"))
    reading = (
        "Of all questions of a run together, with 95 % intervals over clusters. Best first: by the values alone; where intervals overlap, "
        "the order may be chance."
    )
    header = ("measure", *labels, "best first")
    return Section(f"Whole runs, {terms.unit}, utilisation {terms.utilisation:g}", reading, header, tuple(rows)) if names else None


def ranked(figures: Mapping[str, Figure], measure: str, scoring: Scoring) -> list[str]:
    """The keys of those that were measured, best first; equal ones in their order."""
    sign = -1.0 if scoring.of(measure).better == "higher" else 1.0
    known = {key: sign * one.value for key, one in figures.items() if one.value is not None and not math.isnan(one.value)}
    return sorted(known, key=known.__getitem__)


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
