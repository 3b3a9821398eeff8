"""What each arm costs under each of the terms; of a right answer by every score that tells which those are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rag_eval.cost.arm import Amount, ArmCost, cost_per_correct, cost_per_query
from rag_eval.report.context import ReportContext
from rag_eval.report.priced_arms import NO_HORIZON, PricedArm, Terms
from rag_eval.report.table import Cell, Column, Figure, Header, Table, figure


def tables(context: ReportContext) -> list[Table]:
    """One for each of the terms, a line an arm."""
    return [_table(context, terms, arms) for terms, arms in context.priced]


def _table(context: ReportContext, terms: Terms, arms: Sequence[PricedArm]) -> Table:
    measures = list(arms[0].right)
    rows: list[tuple[Cell, ...]] = []
    for one in arms:
        cost = one.cost
        rows.append(
            (
                cost.name,
                *(Figure(value) for value in one.parts.values()),
                Figure(cost.update_usd),
                figure(cost.query_usd),
                Figure(cost.storage_usd_per_hour),
                _all_in(cost_per_query, cost, terms),
                *(_all_in(cost_per_correct, one.judged_by(name), terms) for name in measures),
            )
        )
    header: Header = (
        "arm",
        "learn",
        "data generation",
        "evaluate",
        "trials and failed runs",
        "an update",
        "a question",
        "storage an hour",
        "all in, a question",
        *(_of_right_answers(context.label(name), name, len(measures) == 1) for name in measures),
    )
    return Table(f"Cost, {terms.heading}", terms.text, header, tuple(rows))


def _of_right_answers(label: str, measure: str, is_alone: bool) -> Column:
    title = "all in, a right answer"
    return Column(title) if is_alone else Column(f"{title} by {label}", f"{title} by {measure}")


def _all_in(of: Callable[..., Amount], cost: ArmCost, terms: Terms) -> Figure:
    if terms.n_queries is None:
        return Figure(None, note=NO_HORIZON.reason)
    found = of(cost, hours=terms.hours, n_queries=terms.n_queries, n_updates=terms.n_updates)
    return Figure(found.usd, found.low, found.high, note=found.reason)
