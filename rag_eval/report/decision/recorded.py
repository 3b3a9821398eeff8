"""Recorded runs as arms that may be chosen: read once, priced by any sheet."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rag_eval.cost.arm import total_cost
from rag_eval.cost.prices import PriceSheet, price
from rag_eval.latency.store import SINGLE_STREAM, newest, read_latencies
from rag_eval.latency.summary import summarised
from rag_eval.record.load import RecordedRun, read_run
from rag_eval.record.run_record import RunRecord
from rag_eval.record.selection import labels
from rag_eval.report.contrast import Arm
from rag_eval.report.decision.candidate import AskedQuestion, Candidate, UtilisedCost
from rag_eval.report.priced_arms import PricedArm, Terms, priced_arm, right_of_questions
from rag_eval.report.warnings import siblings
from rag_eval.score.scoring import scoring_of
from rag_eval.stats.estimate import SHARE, cluster_codes, estimate
from rag_eval.stats.interval import Interval
from rag_eval.stats.percentile import fewest
from rag_eval.stats.seeds_and_questions import two_level
from rag_eval.types import Estimate

P95 = "latency/e2e_p95_ms"
CONTROLS: Mapping[str | None, str] = {
    "gold": "is shown the passages that hold the answer",
    "gold among distractors": "is shown the passages that hold the answer",
    "random": "is shown random passages",
}


@dataclass(frozen=True)
class RecordedArm:
    """An arm with all of its training seeds."""

    label: str
    runs: tuple[RecordedRun, ...]  # one a seed, the newest run first
    p95_ms: Interval | None
    why_no_p95: str  # "" = it was measured


def why_left_out(record: RunRecord) -> str:
    """Why nobody can use an arm; "" = it can be used."""
    if record.facts.comparison.primary not in record.estimates:
        return "answers nothing"
    return CONTROLS.get(record.facts.provenance.context, "")


def recorded_arms(records: Sequence[RunRecord], experiment: Sequence[RunRecord], folders: Mapping[str, Path]) -> list[RecordedArm]:
    """The arms of these runs; training seeds of the same settings are one.

    Args:
        records: finished runs that may stand in one table, oldest first.
        experiment: every recorded run of their experiments.
        folders: of the runs, by run id.

    Returns:
        In the order of their newest runs.

    Raises:
        UserError: a run's files were changed.
        DataError: a latency measurement cannot be read.
    """
    seeds: dict[str, list[RunRecord]] = {}
    taken: set[str] = set()
    for record in reversed(records):
        if record.run_id not in taken:
            alike = [one for one in siblings(record, experiment) if one.run_id in folders and one.run_id != record.run_id]
            seeds[record.run_id] = [record, *alike]
            taken |= {record.run_id, *(one.run_id for one in alike)}
    shown = [record for record in records if record.run_id in seeds]
    return [
        _arm(label, [read_run(folders[one.run_id]) for one in seeds[record.run_id]])
        for label, record in zip(labels(shown), shown, strict=True)
    ]


def candidate(arm: RecordedArm, experiment: Sequence[RunRecord], sheet: PriceSheet, measure: str) -> Candidate:
    """What is known of an arm under a price sheet; costs, and right answers question by question, are means over its seeds.

    Args:
        arm: what may be chosen.
        experiment: every recorded run of its experiment, trials and failed ones too.
        sheet: of prices.
        measure: the score that tells right answers.

    Returns:
        The arm as a decision takes it.
    """
    full, half = ([_priced(arm.label, run, experiment, sheet, utilisation) for run in arm.runs] for utilisation in (1.0, 0.5))
    right = [dict(zip(run.questions, right_of_questions(run, measure), strict=True)) for run in arm.runs]
    first = arm.runs[0]
    questions = {
        id: AskedQuestion(
            one.cluster,
            tuple(of_seed.get(id, math.nan) for of_seed in right),
            _utilised(_known(priced.per_question.get(id) for priced in full), _known(priced.per_question.get(id) for priced in half)),
        )
        for id, one in first.questions.items()
    }
    accuracy = _accuracy(questions.values())
    made = Candidate(
        arm.label,
        questions,
        accuracy,
        arm.p95_ms,
        _utilised([one.cost.fixed_usd for one in full], [one.cost.fixed_usd for one in half]),
        _utilised([one.cost.update_usd for one in full], [one.cost.update_usd for one in half]),
        _mean([one.cost.storage_usd_per_hour for one in full]),
    )
    label = scoring_of(first.record).label(measure)
    reasons = {
        "accuracy": "" if accuracy is not None else f"right answers are not scored by {label}",
        "p95_ms": arm.why_no_p95,
        "cost": _why_unpriced(made, first.record, sheet),
    }
    return Candidate(**{**vars(made), "reasons": {name: reason for name, reason in reasons.items() if reason}})


def _arm(label: str, runs: Sequence[RecordedRun]) -> RecordedArm:
    found = [_p95(run) for run in runs]
    measured = next((one for one in found if one[0] is not None), found[0])
    return RecordedArm(label, tuple(runs), *measured)


def _p95(run: RecordedRun) -> tuple[Interval | None, str]:
    """Of single requests with answers of their natural length, by the newest measurement, and why there is none."""
    record = newest(read_latencies(run.folder)).get(SINGLE_STREAM)
    if record is None:
        return None, f"p95: no single requests were timed; rag-eval latency mode={run.record.mode}"
    found = summarised(record).get(P95)
    return found, "" if found is not None else f"p95: {len(record.timings)} requests were timed, and it needs {fewest(0.95)}"


def _priced(label: str, run: RecordedRun, experiment: Sequence[RunRecord], sheet: PriceSheet, utilisation: float) -> PricedArm:
    return priced_arm(Arm(label, run), experiment, Terms(sheet, utilisation, 0.0, None, 0.0), ())


def _known(values: Iterable[float | None]) -> list[float | None]:
    return [None if value is None or math.isnan(value) else value for value in values]


def _mean(values: Sequence[float | None]) -> float | None:
    """Over the seeds; None where one of them is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def _utilised(full: Sequence[float | None], half: Sequence[float | None]) -> UtilisedCost | None:
    """A cost at any utilisation from its values at 1 and at 0.5, at which machine time costs twice as much."""
    one, two = _mean(full), _mean(half)
    return None if one is None or two is None else UtilisedCost(max(0.0, 2 * one - two), two - one)


def _accuracy(questions: Iterable[AskedQuestion]) -> Estimate | None:
    """The share of right answers; of several seeds with the interval of the recipe."""
    asked = list(questions)
    values, clusters = np.array([one.right for one in asked], dtype=np.float64).T, [one.cluster for one in asked]
    if len(values) > 1:
        found = two_level(values, cluster_codes(clusters))
        return None if found is None else found.recipe
    return estimate(values[0].tolist(), clusters, binary=bool(np.isin(values[~np.isnan(values)], SHARE).all()))


def _why_unpriced(made: Candidate, record: RunRecord, sheet: PriceSheet) -> str:
    """Which costs are not known, and what the sheet does not sell; "" = all are known."""
    unknown = total_cost(made.cost(1.0), hours=1.0, n_queries=1.0, n_updates=1.0).reason.replace(f"{made.name}: ", "")
    if not unknown:
        return ""
    answer = record.spends.get("answer")
    absent = [name for name in price(answer, sheet, 1.0).missing if name.startswith(f"{sheet.name}.")] if answer is not None else []
    return f"cost of {unknown}" + (
        f"; hardware={sheet.name} has no {', '.join(name.partition('.')[2] for name in absent)}" if absent else ""
    )
