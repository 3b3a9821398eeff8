"""The runs of an own table: its arms, and the sessions in which their latency is measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rag_eval.errors import UserError
from rag_eval.evaluate import evaluate
from rag_eval.made import Found, Run
from rag_eval.own_table.arms import Arms
from rag_eval.own_table.plan import TIMED, Plan
from rag_eval.record.load import RecordedRun, read_run
from rag_eval.report.claims.claim import Missing, Results
from rag_eval.report.claims.pool import Pool
from rag_eval.report.claims.timed import FORCED, NATURAL, Session, Size, common_length, recorded_session
from rag_eval.time_arms import time_arms

DATA = "0.0"  # what names of questions in a pool begin with: one corpus, one run


def runs(arms: Arms, plan: Plan) -> list[Run[str, Any]]:
    """What is made, in order; finished runs and sessions are taken from disk.

    Args:
        arms: that are run.
        plan: which says what is timed.

    Returns:
        A run for each arm, then the sessions.
    """
    found: list[Run[str, Any]] = [_evaluation(arms, name) for name in arms.arms]
    if plan.session:
        found.append(Run(NATURAL, lambda made: _session(arms, made, plan.session, plan.size, is_forced=False)))
    if set(TIMED) <= set(plan.session):
        found.append(Run(FORCED, lambda made: _session(arms, made, TIMED, plan.size, is_forced=True)))
    return found


def _evaluation(arms: Arms, name: str) -> Run[str, Any]:
    return Run(name, lambda _: read_run(Path(evaluate(arms.composed(name)).directory)))


def _session(arms: Arms, made: Found[str, Any], names: Sequence[str], size: Size, is_forced: bool) -> Session | Missing:
    """The arms that succeeded, timed in one session; Missing where a model cannot be timed by its tokens."""
    answered: dict[str, RecordedRun] = {name: made[name] for name in names if name in made}
    folders = {name: run.folder for name, run in answered.items()}
    if not answered or (is_forced and len(answered) < len(names)):
        return Missing("an arm that is timed failed")
    forced = common_length(list(answered.values())) if is_forced else None
    if (earlier := recorded_session(folders, lambda one: size.fits(one, forced))) is not None:
        return earlier
    try:
        timed = time_arms({name: arms.composed(name, *size.overrides(forced)) for name in answered})
    except UserError as error:
        return Missing(str(error))
    return {one.record.arm: one.record for one in timed}


def results(made: Found[str, Any], left_out: dict[str, str]) -> Results:
    """What was made, as claims are measured on it.

    Args:
        made: runs by arm, and sessions.
        left_out: names of what was not run, with the reason.

    Returns:
        Arms as pools of questions, sessions as other measurements.
    """
    arms: Found[str, Pool] = Found()
    work: Found[str, Any] = Found()
    reasons = dict(left_out)
    for name, value in made.items():
        if isinstance(value, RecordedRun):
            arms[name] = pool_of(value)
        elif isinstance(value, Missing):
            reasons[name] = value.reason
        else:
            work[name] = value
    for name, message in made.failed.items():
        (work if name in (NATURAL, FORCED) else arms).failed[name] = message
    return Results(arms, work, reasons)


def pool_of(run: RecordedRun) -> Pool:
    """The questions of one run."""
    names = {f"{DATA}/{id}": id for id in run.rows}
    return Pool(
        rows={name: run.rows[id] for name, id in names.items()},
        predictions={name: run.predictions[id] for name, id in names.items()},
        clusters={name: str(run.rows[id]["cluster"]) for name, id in names.items()},
        records=(run.record,),
    )
