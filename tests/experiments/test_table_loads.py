"""Which side costs less at which load: maps of finished runs, computed by hand in seconds of one machine, and why there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.effects.arms import ArmRun
from experiments.study import Found
from experiments.table.command import first_world
from rag_eval.latency.record import CONDITIONS, LatencyRecord
from rag_eval.latency.store import write_latency
from rag_eval.record.load import RecordedRun
from rag_eval.report.claims.loads import Loads, loads
from rag_eval.report.table import Figure
from rag_eval.testing.finished_runs import write_run
from rag_eval.types import Spend, Timing
from tests.claims import every

N = 120


def finished(root: Path, arm: str, question_s: float, learn_s: float, n_right: int, n_timed: int = 80) -> RecordedRun:
    """A run whose questions take the same time; an index is updated in half a second."""
    is_trained = arm == "finetune"
    rows = [{"answer/em": float(at < n_right)} for at in range(N)]
    spends = {"learn": Spend(learn_s, stored_bytes=0), "answer": Spend(N * question_s)} | ({} if is_trained else {"update": Spend(0.5)})
    told = {f"q{at}": {"seconds": {"generate": question_s}} for at in range(N)}
    kind = {"weights": "trained"} if is_trained else {"context": "retrieved"}
    run = write_run(root, arm, arm, rows, spends=spends, predictions=told, **kind)
    how = dict.fromkeys(CONDITIONS) | {"scenario": "single_stream", "n_queries": n_timed, "n_blocks": 8, "cache_state": "warm"}
    timings = tuple(Timing(f"q{at}", at // 10, 40, 2, {}, question_s) for at in range(n_timed))
    if timings:
        write_latency(run.folder, LatencyRecord(how, arm, run.record.run_id, "s1", timings))
    return run


def both(root: Path, n_right: int = 118, n_timed: int = 80, tuned_s: float = 0.25) -> dict[str, RecordedRun]:
    """rag: a second a question; finetune: a quarter of one, and an hour of training. Each takes twice its answering to evaluate."""
    return {
        "rag": finished(root, "rag", 1.0, 10.0, 118),
        "finetune": finished(root, "finetune", tuned_s, 3600.0, n_right, n_timed),
    }


def found(runs: dict[str, RecordedRun]) -> Loads:
    made = loads(runs)
    assert isinstance(made, Loads), made
    return made


def test_fine_tuning_wins_where_its_saving_of_a_month_pays_for_its_trainings(tmp_path: Path) -> None:
    free, right = found(both(tmp_path)).maps
    for one in (free, right):
        assert one.made is not None
        assert one.made.queries_per_day == (10, 100, 1e3, 1e4, 1e5, 1e6)
        winners = dict(zip(one.made.updates_per_week, one.made.winners, strict=True))
        # A month of 30.4 days saves 22.8 s for each question a day; 0.1 trainings a week take 1,564 s of it, one takes 15,643 s, beside
        # 3,660 s before the first question. So fine-tuning pays from 229 and from 847 questions a day on.
        assert winners[0.1] == winners[1.0] == ("rag",) * 2 + ("finetune",) * 4
        assert winners[1000.0] == ("rag",) * 5 + ("finetune",)


def test_a_side_that_is_not_right_often_enough_wins_only_where_it_need_not_be(tmp_path: Path) -> None:
    free, right = found(both(tmp_path, n_right=60)).maps
    assert free.made is not None
    assert right.made is not None
    assert free.made.winners[0][-1] == "finetune"
    assert every(winner == "rag" for row in right.made.winners for winner in row)
    assert "80" in right.title


def test_a_bound_that_no_side_meets_has_no_map(tmp_path: Path) -> None:
    runs = {arm: finished(tmp_path, arm, 1.0, 1.0, 30) for arm in ("rag", "finetune")}
    free, right = found(runs).maps
    assert free.made is not None
    assert (right.made, right.reason[:20]) == (None, "neither side meets i")


def test_the_maps_stand_beside_what_they_rest_on(tmp_path: Path) -> None:
    made = found(both(tmp_path))
    assert [row[0] for row in made.sides.rows] == ["rag", "finetune"]
    texts = made.sides.texts(range(len(made.sides.columns)))
    assert every("0.983 [" in row[1] and row[2] == "120 (60)" for row in texts[1:])
    # A second costs 0.15 / 3,600 / 0.5 for the machine and 0.045 * 0.18 / 3,600 for its electricity.
    dear, cheap = (row[5] for row in made.sides.rows)
    assert isinstance(dear, Figure)
    assert isinstance(cheap, Figure)
    assert (dear.value, cheap.value) == (pytest.approx(85.58, rel=1e-3), pytest.approx(85.58 / 4, rel=1e-3))
    assert every(part in made.terms for part in ("exact match", "utilisation 0.5", "may be 10 s", "laptop_cpu"))


def test_without_a_p95_or_a_side_there_is_no_map_and_the_reason_is_told(tmp_path: Path) -> None:
    runs = both(tmp_path, n_timed=0)
    assert loads(runs) == "finetune: p95: no single requests were timed; rag-eval latency mode=finetune"
    assert loads({"rag": runs["rag"]}) == "finetune: not run"


def test_the_runs_are_those_of_the_first_world(tmp_path: Path) -> None:
    run = finished(tmp_path, "rag", 1.0, 1.0, 30)
    made: Found[object, object] = Found()
    made.update({ArmRun("rag", 1, 0): run, ArmRun("finetune", 0, 0): run, "building": 3})
    assert first_world(made, 1) == {"rag": run}
