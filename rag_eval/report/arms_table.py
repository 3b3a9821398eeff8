"""The table of arms: one line a recorded run, one column a measure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from rag_eval.record.run_record import RunRecord
from rag_eval.record.selection import is_under_trained, labels
from rag_eval.report.form import keeps_some_form
from rag_eval.report.ranking import best_first
from rag_eval.report.table import Cell, Column, Figure, Table, Term, figure
from rag_eval.score.scoring import Scoring, scoring_of
from rag_eval.types import Spend

UNDER_TRAINED = "under-trained"
OF_FORM = "exact match measures form"
NO_FIGURES: Mapping[str, Mapping[str, Figure]] = {}
PLAIN = (
    Column("seconds a question (p50)", "seconds/e2e_p50", "amount"),
    Column("seconds to learn", "learn/seconds", "amount"),
    Column("tokens a question", "tokens/total_mean", "amount"),
    Column("n", "n", "amount"),
)


def arms_table(
    records: Sequence[RunRecord], whole: Mapping[str, Mapping[str, Figure]] = NO_FIGURES, rank: str = "", title: str = ""
) -> Table:
    """One line a run; JSON has its id and its marks in columns of their own.

    Args:
        records: in the order of the lines.
        whole: metrics of whole runs, by run id; those that were measured of some run have a column.
        rank: the measure that puts the lines in another order, best first; "" = none does.
        title: of the table.

    Returns:
        The table.
    """
    of_runs = {name: one for figures in whole.values() for name, one in figures.items() if one.value is not None or name == rank}
    measured = _measured(records, [*of_runs, *([rank] if rank else [])])
    rows: list[tuple[Cell, ...]] = []
    for label, record in zip(labels(records), records, strict=True):
        marks = ", ".join(_marks(record))
        arm = Term(label, f"{label} ({marks})" if marks else label)
        scores = (_figure(record, whole.get(record.run_id, {}), name) for name in measured)
        rows.append((arm, record.run_id, marks, *scores, *_plain(record)))
    scoring = scoring_of(*records)
    columns = (
        Column("arm", kind="text"),
        Column("run_id", kind="text", place="in JSON"),
        Column("mark", kind="text", place="in JSON"),
        *(Column(scoring.label(name), name, "share") for name in measured),
        *PLAIN,
    )
    return Table(title, "", columns, tuple(_ranked(rows, columns, rank, scoring) if rank else rows), range(len(rows)))


def value_of(cell: Cell) -> float | None:
    """The number of a cell; None = it has none."""
    return cell.value if isinstance(cell, Figure) else None


def _ranked(rows: Sequence[tuple[Cell, ...]], columns: Sequence[Column], measure: str, scoring: Scoring) -> list[tuple[Cell, ...]]:
    """Best first by a measure, what was not measured last."""
    at = [column.name for column in columns].index(measure)
    order = best_first({number: value_of(row[at]) for number, row in enumerate(rows)}, scoring.of(measure).better)
    return [rows[number] for number in order]


def _marks(record: RunRecord) -> Iterator[str]:
    if is_under_trained(record):
        yield UNDER_TRAINED
    if keeps_some_form(record) is False:
        yield OF_FORM


def _measured(records: Sequence[RunRecord], others: Sequence[str]) -> list[str]:
    """The measures that are shown: primary scores, then those with a column, scores of right answers first, and others."""
    scoring = scoring_of(*records)
    is_column = {name: one.is_column for name, one in scoring.declared.items()}
    primary = [name for record in records if is_column.get(name := scoring_of(record).primary) is False]
    told = [name for name, one in scoring.declared.items() if one.is_column and one.asks == "" and one.judges != "run"]
    at_depth = [name for name in told if scoring.of(name).k is not None]
    shown = [
        *(name for name in scoring.asking("form", "content", "words") if is_column[name]),
        *_at_depths(at_depth, scoring, records),
        *(name for name in told if name not in at_depth),
        *others,
    ]
    return list(dict.fromkeys([*primary, *shown]))


def _at_depths(names: Sequence[str], scoring: Scoring, records: Sequence[RunRecord]) -> list[str]:
    """Those at as many passages as enter the prompt, where a run has scored that, else all that were scored, else the shallowest."""
    by_depth = sorted(names, key=lambda name: scoring.of(name).k or 0)
    scored = [name for name in by_depth if any(name in record.estimates for record in records)]
    in_prompt = {record.facts.provenance.choices.get("retriever.k") for record in records}
    return [name for name in scored if scoring.of(name).k in in_prompt] or scored or by_depth[:1]


def _figure(record: RunRecord, whole: Mapping[str, Figure], name: str) -> Figure:
    if (found := whole.get(name)) is not None:
        return replace(found, note="")
    estimate = record.estimates.get(name)
    return figure(estimate if estimate is None or math.isfinite(estimate.mean) else None)


def _plain(record: RunRecord) -> tuple[Figure, Figure, Figure, Figure]:
    outcomes = record.facts.outcomes
    e2e, prompt, output = outcomes.seconds.get("e2e"), outcomes.tokens.prompt_mean, outcomes.tokens.output_mean
    return (
        Figure(None if e2e is None else e2e.p50),
        _learned(record.spends.get("learn")),
        Figure(None if prompt is None or output is None else prompt + output),
        Figure(outcomes.counts.n_questions),
    )


def _learned(spend: Spend | None) -> Figure:
    if spend is None:
        return Figure(None)
    return Figure(spend.seconds, is_cached=spend.cached)  # of a cached stage what it took when it was built
