"""From when on the second arm of a pair is the cheaper one; by what an error costs, where the scores agree on the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from rag_eval.cost.arm import mean_usd
from rag_eval.cost.breakeven import NOT_MEASURED as UNKNOWN
from rag_eval.cost.breakeven import BreakEven, break_even_queries, indifference_error_price, maximum_updates
from rag_eval.report.context import ReportContext
from rag_eval.report.paired import shared
from rag_eval.report.priced_arms import NO_HORIZON, PricedArm, Terms
from rag_eval.report.table import NOT_MEASURED, Cell, Figure, Table, interval_figure
from rag_eval.stats.ratio import ratio_of_means
from rag_eval.types import Estimate


def tables(context: ReportContext) -> list[Table]:
    """One for each of the terms, a line a pair."""
    return [_table(context, terms, arms) for terms, arms in context.priced]


def _table(context: ReportContext, terms: Terms, arms: Sequence[PricedArm]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for a, b in combinations(arms, 2):
        first, second = a.cost, b.cost
        saving, ratio = _saving_and_ratio(a, b)
        queries = break_even_queries(first, second, hours=terms.hours, n_updates=terms.n_updates, saving=saving)
        updates, errors = NO_HORIZON, dict.fromkeys(a.right, NO_HORIZON)
        if terms.n_queries is not None:
            horizon = {"hours": terms.hours, "n_queries": terms.n_queries}
            updates = maximum_updates(first, second, **horizon, saving=saving)
            updated = {**horizon, "n_updates": terms.n_updates}
            errors = {name: indifference_error_price(a.judged_by(name), b.judged_by(name), **updated) for name in a.right}
        right = _by_measure({context.label(name): " against ".join(str(Figure(one.right[name])) for one in (b, a)) for name in a.right})
        rows.append(
            (
                f"{second.name} instead of {first.name}",
                right,
                ratio,
                _words(queries),
                _words(updates),
                _by_error({context.label(name): one for name, one in errors.items()}),
            )
        )
    header = ("choice", "right answers", "cost ratio of a question", "pays, in questions", "pays, in updates", "pays, by price of an error")
    reading = (
        "Cost alone; how often the arms are right stands beside it. The second arm pays from or until that number; the ratio is of mean "
        f"costs with Fieller's interval. METRIC-DEPENDENT: by which price of an error it pays is another matter by another score of the "
        f"same answers. {terms.text}"
    )
    return Table(f"Break-even, {terms.heading}", reading, header, tuple(rows))


def _by_error(errors: Mapping[str, BreakEven]) -> str:
    """By what price of an error the second arm pays, by every score; they may disagree even on whether it does."""
    said = _by_measure({name: _words(one) for name, one in errors.items()})
    return said if len({one.verdict for one in errors.values()}) == 1 else f"METRIC-DEPENDENT: {said}"


def _by_measure(said: Mapping[str, str]) -> str:
    """What is said by each score, once where all say the same."""
    return next(iter(said.values())) if len(set(said.values())) == 1 else "; ".join(f"{name} {text}" for name, text in said.items())


def _words(one: BreakEven) -> str:
    if one.value is None:
        return f"{one.verdict if one.verdict != UNKNOWN else NOT_MEASURED}: {one.reason}"
    return f"{one.verdict} {Figure(one.value, one.low, one.high)}"


def _saving_and_ratio(a: PricedArm, b: PricedArm) -> tuple[Estimate | None, Figure]:
    """What a question saves with b, and its cost with b over that with a, over the questions that both were asked."""
    questions = shared([a.arm.run, b.arm.run])
    one, other = ([each.per_question[id] for id in questions.ids] for each in (a, b))
    saving = mean_usd([x - y for x, y in zip(one, other, strict=True)], questions.clusters)
    return saving, interval_figure(ratio_of_means(other, one, questions.clusters))
