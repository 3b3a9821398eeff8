"""Results of the table with hand-made values, as runs and measurements leave them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.effects.arms import ArmRun, pools
from experiments.study import Found
from rag_eval.latency.record import CONDITIONS, LatencyRecord
from rag_eval.record.load import RecordedRun
from rag_eval.report.claims.claim import Results
from rag_eval.report.claims.pool import Pool
from rag_eval.testing.finished_runs import write_run
from rag_eval.types import Spend, Timing


def results(arms: Mapping[str, Pool] | None = None, work: Mapping[str, Any] | None = None) -> Results:
    """Results of these arms and measurements, none of which failed."""
    of_arms: Found[str, Pool] = Found()
    of_work: Found[str, Any] = Found()
    of_arms.update(arms or {})
    of_work.update(work or {})
    return Results(of_arms, of_work)


def pooled(runs: Mapping[str, Sequence[RecordedRun]]) -> Mapping[str, Pool]:
    """Pools of arms, a run a world."""
    found: Found[ArmRun, RecordedRun] = Found()
    found.update({ArmRun(arm, seed, 0): run for arm, those in runs.items() for seed, run in enumerate(those)})
    return pools(found)


def run(
    root: Path,
    name: str,
    right: Sequence[float],
    stages: Sequence[Mapping[str, float]],
    *,
    learn_s: float,
    update_s: float | None = None,
    is_trained: bool = False,
) -> RecordedRun:
    """A finished run; every two questions are about one entity, and answering all took 2 seconds.

    Args:
        root: output folder.
        name: of the run.
        right: exact match and containment of each question.
        stages: seconds of each question by stage.
        learn_s: seconds of learning, which leaves 10 bytes.
        update_s: seconds of an update of the index; None = there is none.
        is_trained: whether the weights were trained.
    """
    spends = {"learn": Spend(learn_s, stored_bytes=10), "answer": Spend(2.0)}
    return write_run(
        root,
        name,
        name,
        [{"answer/em": one, "answer/contains": one} for one in right],
        spends=spends if update_s is None else {**spends, "update": Spend(update_s)},
        predictions={f"q{at}": {"seconds": dict(one)} for at, one in enumerate(stages)},
        context="none" if is_trained else "retrieved",
        weights="trained" if is_trained else "base",
    )


def timed(
    arm: str, stages: Sequence[Mapping[str, float]], n_prompt_tokens: Sequence[int], *, session: str = "s", **conditions: Any
) -> LatencyRecord:
    """The record of an arm that was asked one question after the other, two a block.

    Args:
        arm: its name.
        stages: seconds of each question by stage, which are the whole time.
        n_prompt_tokens: of each question.
        session: of the record.
        conditions: of the protocol, in place of those here.
    """
    timings = tuple(
        Timing(f"q{at}", at // 2, n, 3, one, sum(one.values())) for at, (one, n) in enumerate(zip(stages, n_prompt_tokens, strict=True))
    )
    protocol: dict[str, Any] = dict.fromkeys(CONDITIONS)
    protocol |= {"scenario": "single_stream", "n_queries": len(stages), "n_blocks": (len(stages) + 1) // 2, "cache_state": "warm"}
    return LatencyRecord(protocol | conditions, arm, f"run of {arm}", session, timings)
