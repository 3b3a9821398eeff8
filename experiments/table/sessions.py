"""Latency of arms in one session, taken from beside their runs where it was measured before."""

from __future__ import annotations

from typing import Any

from experiments.effects.arms import ArmRun, Arms, Plan, settings_of
from experiments.study import Found, Run
from rag_eval.config.compose import composed
from rag_eval.report.claims.timed import FORCED, NATURAL, Session, Size, common_length, recorded_session
from rag_eval.time_arms import time_arms


def natural(plan: Plan, arms: Arms, size: Size) -> Run[Any, Any]:
    """A session with the arms' own answers, in the first world."""
    return Run(NATURAL, lambda found: _session(plan, arms, size, None, found))


def forced(plan: Plan, arms: Arms, size: Size) -> Run[Any, Any]:
    """A session in which every answer has the mean length of the arms' recorded answers, in the first world."""

    def make(found: Found[Any, Any]) -> Session:
        runs = [found[ArmRun(arm, plan.seeds[0], 0)] for arm in arms]
        return _session(plan, arms, size, common_length(runs), found)

    return Run(FORCED, make)


def _session(plan: Plan, arms: Arms, size: Size, forced_tokens: int | None, found: Found[Any, Any]) -> Session:
    seed = plan.seeds[0]
    folders = {arm: found[ArmRun(arm, seed, 0)].folder for arm in arms}
    if (earlier := recorded_session(folders, lambda one: size.fits(one, forced_tokens))) is not None:
        return earlier
    protocol = size.overrides(forced_tokens)
    timed = time_arms({arm: composed([*settings_of(plan, seed, overrides), *protocol]) for arm, (overrides,) in arms.items()})
    return {one.record.arm: one.record for one in timed}
