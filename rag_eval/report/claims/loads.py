"""Which side costs less at which load, questions a day by updates a week: recorded runs of both by the rule of `rag-eval decide`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rag_eval.cost.prices import MONTH_H
from rag_eval.record.load import RecordedRun
from rag_eval.report.claims.costs import SHEETS
from rag_eval.report.decision.candidate import Candidate
from rag_eval.report.decision.constraints import DAY_H, Constraints
from rag_eval.report.decision.decision import WinnerMap, answer, winner_map
from rag_eval.report.decision.recorded import candidate, recorded_arms
from rag_eval.report.decision.study import QUERIES, UPDATES
from rag_eval.report.form import right_by
from rag_eval.report.priced_arms import sheet_named
from rag_eval.report.table import Column, Figure, Table, figure, interval_figure
from rag_eval.score.scoring import scoring_of

ARMS = ("rag", "finetune")  # of the two sides
BOUNDS = (0.0, 0.8)  # least shares of right answers, each with a map
P95_MS = 10_000.0  # the longest that an answer may take
UTILISATION = 0.5  # that of most claims on cost
HORIZON_DAYS = MONTH_H / DAY_H  # a month, as in the claims on cost


@dataclass(frozen=True)
class LoadMap:
    """The answer by load, where the same share of right answers is accepted."""

    title: str
    made: WinnerMap | None
    reason: str = ""  # why there is no map; "" = there is one


@dataclass(frozen=True)
class Loads:
    """The maps, and what they rest on."""

    sides: Table  # what both sides cost, and how right and how fast they are
    maps: Sequence[LoadMap]
    terms: str  # prices, times and the score that all maps have in common


def loads(runs: Mapping[str, RecordedRun], prices: str | None = None) -> Loads | str:
    """The maps of both sides.

    Args:
        runs: of the same questions, by arm.
        prices: name of a price sheet; None = that of the device that answered.

    Returns:
        The maps, or why there are none: a side was not run, or something of it that the answer needs was not measured.

    Raises:
        UserError: if files of a run were changed.
    """
    lacking = [arm for arm in ARMS if arm not in runs]
    if lacking:
        return f"{' and '.join(lacking)}: not run"
    sides = [runs[arm] for arm in ARMS]
    records = [run.record for run in sides]
    sheet = sheet_named(prices or SHEETS[records[0].facts.provenance.hardware.device])
    measure = right_by(records, scoring_of(*records).primary)
    arms = recorded_arms(records, records, {run.record.run_id: run.folder for run in sides})
    found = [candidate(arm, records, sheet, measure) for arm in arms]
    unknown = [f"{one.name}: {reason}" for one in found for reason in one.reasons.values()]
    if unknown:
        return "; ".join(unknown)
    terms = (
        f"Right answers are told by {scoring_of(*records).label(measure)}. Costs are those of a month of {MONTH_H:g} hours at utilisation "
        f"{UTILISATION:g}, what is spent before the first question included; an update replaces a document in the index or trains anew. "
        f"The 95th percentile of the time to an answer may be {P95_MS / 1000:g} s. Prices {sheet.name} of {sheet.date}: {sheet.source}"
    )
    return Loads(_sides(found), [_map(found, bound) for bound in BOUNDS], terms)


def _map(candidates: Sequence[Candidate], bound: float) -> LoadMap:
    asked = Constraints(
        queries_per_day=QUERIES[0],
        updates_per_week=UPDATES[0],
        p95_ms=P95_MS,
        min_accuracy=bound,
        utilisation=UTILISATION,
        horizon_days=HORIZON_DAYS,
    )
    title = f"Which side costs less, if it must be right in at least {bound:.0%} of the questions" if bound else "Which side costs less"
    if answer(candidates, asked).kind == "none meets":
        return LoadMap(title, None, "neither side meets it: too few right answers, or answers that come too late")
    return LoadMap(title, winner_map(candidates, asked, QUERIES, UPDATES))


def _sides(candidates: Sequence[Candidate]) -> Table:
    rows = []
    for one in candidates:
        cost = one.cost(UTILISATION)
        question = cost.query_usd
        million = Figure(None) if question is None else Figure(1e6 * question.mean, 1e6 * question.low, 1e6 * question.high)
        size = "" if one.accuracy is None else f"{one.accuracy.n} ({one.accuracy.n_clusters})"
        accuracy, p95 = figure(one.accuracy), interval_figure(one.p95_ms)
        rows.append((one.name, accuracy, size, p95, Figure(cost.fixed_usd), million, Figure(cost.update_usd)))
    header = (
        Column("side", kind="text"),
        Column("right answers", kind="share"),
        Column("n (clusters)", kind="text"),
        "p95, ms",
        "USD before the first question",
        "USD a million questions",
        "USD an update",
    )
    return Table("What the maps rest on", "Of the same questions, with 95 % intervals.", header, tuple(rows))
