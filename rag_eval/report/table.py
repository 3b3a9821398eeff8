"""Recorded runs to the rows of a table: numbers first, text last, rounded once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rag_eval.record.run_record import RunRecord
from rag_eval.record.serial import null_where_not_finite
from rag_eval.report.form import keeps_some_form
from rag_eval.report.runs import is_under_trained, labels
from rag_eval.report.sections import Figure, number
from rag_eval.score.scoring import Scoring, scoring_of
from rag_eval.types import Spend

NOT_MEASURED = "not measured"
CACHED = "cached"
UNDER_TRAINED = "under-trained"
OF_FORM = "exact match measures form"
NO_FIGURES: Mapping[str, Mapping[str, Figure]] = {}


@dataclass(frozen=True)
class Column:
    """One measure of every arm."""

    name: str  # tracked name
    title: str


@dataclass(frozen=True)
class Cell:
    """One measure of one arm."""

    value: float | None  # unrounded; None = not measured
    low: float | None = None  # of the 95 % interval
    high: float | None = None
    n: int | None = None  # questions that could be judged
    is_cached: bool = False

    def text(self) -> str:
        """What the table shows."""
        if self.value is None:
            return CACHED if self.is_cached else NOT_MEASURED
        if self.low is None or self.high is None:
            return _number(self.value) + (f" ({CACHED})" if self.is_cached else "")
        form = "{:.3f}".format if round(self.value, 3) or not self.value else number
        return f"{form(self.value)} [{form(self.low)}, {form(self.high)}]"


@dataclass(frozen=True)
class Line:
    """One arm."""

    label: str
    run_id: str
    cells: tuple[Cell, ...]  # as many as columns, in their order
    mark: str = ""  # what must not be overlooked

    @property
    def title(self) -> str:
        """How the line begins."""
        return f"{self.label} ({self.mark})" if self.mark else self.label


@dataclass(frozen=True)
class Table:
    """Arms by measures."""

    columns: tuple[Column, ...]
    lines: tuple[Line, ...]


def table(records: Sequence[RunRecord], whole: Mapping[str, Mapping[str, Figure]] = NO_FIGURES, rank: str = "") -> Table:
    """One line a run.

    Args:
        records: in the order of the lines.
        whole: metrics of whole runs, by run id; those that were measured of some run have a column.
        rank: the measure that puts the lines in another order, best first; "" = none does.
    """
    of_runs = {name: one for figures in whole.values() for name, one in figures.items() if one.value is not None or name == rank}
    measured = _measured(records, [*of_runs, *([rank] if rank else [])])
    plain = {"seconds/e2e_p50": "s/question (p50)", "learn/seconds": "learn s", "tokens/total_mean": "tokens/question", "n": "n"}
    lines = (
        Line(
            label,
            record.run_id,
            (*(_cell(record, whole.get(record.run_id, {}), name) for name in measured), *_plain(record)),
            ", ".join(_marks(record)),
        )
        for label, record in zip(labels(records), records, strict=True)
    )
    columns = tuple(Column(name, title) for name, title in {**measured, **plain}.items())
    return Table(columns, tuple(_ranked(list(lines), columns, rank, scoring_of(*records)) if rank else lines))


def _ranked(lines: Sequence[Line], columns: Sequence[Column], measure: str, scoring: Scoring) -> list[Line]:
    """Best first by a measure, what was not measured last."""
    at = [column.name for column in columns].index(measure)
    sign = -1.0 if scoring.of(measure).better == "higher" else 1.0
    return sorted(lines, key=lambda line: math.inf if (value := line.cells[at].value) is None else sign * value)


def _marks(record: RunRecord) -> Iterator[str]:
    if is_under_trained(record):
        yield UNDER_TRAINED
    if keeps_some_form(record) is False:
        yield OF_FORM


def _measured(records: Sequence[RunRecord], others: Sequence[str]) -> dict[str, str]:
    """The titles of the measures that are shown: primary scores, then what has a title, scores of right answers first, and others."""
    scoring = scoring_of(*records)
    primary = [name for record in records if (name := scoring_of(record).primary) in scoring.declared and not scoring.of(name).title]
    titled = [name for name, one in scoring.declared.items() if one.title and one.asks == "" and one.judges != "run"]
    at_depth = [name for name in titled if scoring.of(name).k is not None]
    shown = [
        *(name for name in scoring.asking("form", "content", "words") if scoring.of(name).title),
        *_at_depths(at_depth, scoring, records),
        *(name for name in titled if name not in at_depth),
        *others,
    ]
    return {name: scoring.of(name).title or name.partition("/")[2] for name in (*primary, *shown)}


def _at_depths(names: Sequence[str], scoring: Scoring, records: Sequence[RunRecord]) -> list[str]:
    """Those at as many passages as enter the prompt, where a run has scored that, else all that were scored, else the shallowest."""
    by_depth = sorted(names, key=lambda name: scoring.of(name).k or 0)
    scored = [name for name in by_depth if any(name in record.estimates for record in records)]
    in_prompt = {record.facts.provenance.choices.get("retriever.k") for record in records}
    return [name for name in scored if scoring.of(name).k in in_prompt] or scored or by_depth[:1]


def as_json(table: Table) -> dict[str, Any]:
    """The table's unrounded numbers; null = not measured."""
    names = [column.name for column in table.columns]
    return {
        "schema_version": 1,
        "columns": {column.name: column.title for column in table.columns},
        "rows": [
            {
                "arm": line.label,
                "run_id": line.run_id,
                "mark": line.mark,
                **{name: null_where_not_finite(vars(cell)) for name, cell in zip(names, line.cells, strict=True)},
            }
            for line in table.lines
        ],
    }


def _cell(record: RunRecord, whole: Mapping[str, Figure], name: str) -> Cell:
    if (figure := whole.get(name)) is not None:
        return Cell(figure.value, figure.low, figure.high, figure.n)
    estimate = record.estimates.get(name)
    if estimate is None or not math.isfinite(estimate.mean):
        return Cell(None)
    return Cell(estimate.mean, estimate.low, estimate.high, estimate.n)


def _plain(record: RunRecord) -> tuple[Cell, Cell, Cell, Cell]:
    outcomes = record.facts.outcomes
    e2e, prompt, output = outcomes.seconds.get("e2e"), outcomes.tokens.prompt_mean, outcomes.tokens.output_mean
    return (
        Cell(None if e2e is None else e2e.p50),
        _learned(record.spends.get("learn")),
        Cell(None if prompt is None or output is None else prompt + output),
        Cell(outcomes.counts.n_questions),
    )


def _learned(spend: Spend | None) -> Cell:
    if spend is None:
        return Cell(None)
    return Cell(spend.seconds, is_cached=spend.cached)  # of a cached stage what it took when it was built


def _number(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return "<0.001" if 0 < value < 0.001 else f"{value:,.3g}" if value < 100 else f"{value:,.0f}"
