"""Reports read a metric by what its run says that it declares, whether or not this version has such a metric."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from rag_eval import older_targets
from rag_eval.report.__main__ import main
from rag_eval.score.metric import Declaration, of_runs
from rag_eval.score.primary import EM
from rag_eval.testing.finished_runs import write_run
from rag_eval.types import Estimate
from tests.claims import every

Told = Callable[..., tuple[int, str, str]]

RUDE = "answer/rudeness"  # that nobody has heard of
DECLARED = {
    EM: Declaration(label="exact", asks="form", tells_right=True, is_column=True),
    RUDE: Declaration(label="rude", better="lower", high=None, gold_scores_1=False, is_column=True),
    "answer/colour": Declaration(better="neither", gold_scores_1=False),
}


@pytest.fixture
def told(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Told:
    """`told("compare", "aaaa", ...)` reports in an empty folder: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        code = main(list(map(str, arguments)))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def ran(root: Path, run_id: str, mode: str, rude: Sequence[float], declared: Mapping[str, Declaration] = DECLARED) -> None:
    rows = [{EM: float(at % 2), RUDE: value, "answer/colour": 1.0} for at, value in enumerate(rude)]
    write_run(root / "outputs", run_id, mode, rows, metrics={name: asdict(one) for name, one in declared.items()})


def line(folder: Path, title: str, name: str) -> dict[str, Any]:
    made = json.loads((folder / "reports" / "compare.json").read_text(encoding="utf-8"))
    section = next(one for one in made["sections"] if one["title"] == title)
    return dict(zip(section["header"], next(row for row in section["rows"] if row[0] == name), strict=True))


def test_of_a_metric_of_which_less_is_better_the_lower_arm_wins(told: Told, tmp_path: Path) -> None:
    ran(tmp_path, "aaaa", "rag", [8.0 + at % 3 for at in range(80)])
    ran(tmp_path, "bbbb", "finetune", [2.0 + at % 5 for at in range(80)])
    code, out, err = told("compare", "aaaa", "bbbb", f"measure={RUDE}", "threshold=1")
    assert code == 0, err
    assert "is finetune better, that is lower, by more than 1 than rag on rude? SUPPORTED. Difference -" in out
    assert "better: finetune." in out
    code, out, err = told("compare", "bbbb", "aaaa", f"measure={RUDE}", "threshold=1")
    assert code == 0, err
    assert "is rag better, that is lower, by more than 1 than finetune on rude? REFUTED. Difference " in out
    assert "better: finetune." in out


def test_no_interval_of_a_metric_without_bounds_ends_at_1(told: Told, tmp_path: Path) -> None:
    ran(tmp_path, "aaaa", "rag", [1.0] * 40 + [9.0] * 40)
    ran(tmp_path, "bbbb", "finetune", [0.0] * 80)
    code, out, err = told("compare", "aaaa", "bbbb", f"measure={RUDE}")
    assert code == 0, err
    found = line(tmp_path, "The declared comparison", "finetune - rag")[f"difference of {RUDE}"]
    assert found["value"] == -5.0
    assert found["low"] < -6.0 < found["high"] < -1.0
    assert line(tmp_path, "Where answers come from", "rag")["acc"]["value"] == 0.5  # by the primary score
    assert "rude is no share: where answers and differences come from is by exact" in " ".join(out.split())


@pytest.mark.parametrize("less", [0.0, 3.0, 0.3])  # 0.3 is equal but for rounding
def test_equal_differences_of_a_metric_without_bounds_decide_nothing(told: Told, tmp_path: Path, less: float) -> None:
    scores = [1.1 + 0.7 * at for at in range(80)]
    ran(tmp_path, "aaaa", "rag", scores)
    ran(tmp_path, "bbbb", "finetune", [one - less for one in scores])
    code, out, err = told("compare", "aaaa", "bbbb", f"measure={RUDE}")
    assert code == 0, err
    assert "INCONCLUSIVE(MDE=unknown)" in out
    assert "nobody is better as far as these questions tell" in out
    found = line(tmp_path, "The declared comparison", "finetune - rag")
    assert found["design effect"]["value"] is None


def test_equal_scores_that_nothing_bounds_have_no_interval_in_any_table(told: Told, tmp_path: Path) -> None:
    ran(tmp_path, "aaaa", "rag", [5.0] * 40)
    ran(tmp_path, "bbbb", "finetune", [4.0] * 40)
    recorded = json.loads((tmp_path / "outputs" / "study" / "aaaa" / "run.json").read_text(encoding="utf-8"))["estimates"][RUDE]
    assert (recorded["mean"], recorded["low"], recorded["high"]) == (5.0, None, None)
    assert told()[0] == 0
    (arm,) = [one for one in arms_of(tmp_path) if one["run_id"] == "aaaa"]
    assert (arm[RUDE]["value"], arm[RUDE]["low"], arm[RUDE]["high"]) == (5.0, None, None)
    assert "| 5.000 |" in (tmp_path / "reports" / "summary.md").read_text(encoding="utf-8")
    code, _, err = told("compare", "aaaa", "bbbb", "queries=100", "updates=0", "hours=0")
    assert code == 0, err
    found = line(tmp_path, "Other paired differences", RUDE)["difference"]
    assert (found["value"], found["low"], found["high"]) == (-1.0, None, None)
    cost = line(tmp_path, "Cost, s, utilisation 1", "rag")  # what costs the same for every question is known, as list prices are
    assert [(cost[name]["value"], cost[name]["low"]) for name in ("a question", "all in, a question")] == [(0.5, 0.5), (0.53, 0.53)]


def test_nothing_is_claimed_of_a_metric_that_is_neither_better_high_nor_low(told: Told, tmp_path: Path) -> None:
    for run_id, mode in (("aaaa", "rag"), ("bbbb", "finetune")):
        ran(tmp_path, run_id, mode, [1.0] * 40)
    code, _, err = told("compare", "aaaa", "bbbb", "measure=answer/colour")
    assert code == 2
    assert "measure=answer/colour: neither more nor less of it is better, so that nothing can be claimed" in err
    assert not (tmp_path / "reports").exists()


def test_a_metric_with_a_title_has_a_column_and_others_have_none(told: Told, tmp_path: Path) -> None:
    ran(tmp_path, "aaaa", "rag", [3.0] * 40)
    assert told()[0] == 0
    columns = json.loads((tmp_path / "reports" / "table.json").read_text(encoding="utf-8"))["columns"]
    assert {name: title for name, title in columns.items() if name.startswith("answer/")} == {EM: "exact", RUDE: "rude"}
    assert (tmp_path / "reports" / "figures" / "em.png").exists()


def test_a_run_without_answers_has_no_columns_and_no_figures_of_them(told: Told, tmp_path: Path) -> None:
    found = "retrieval/recall_5"
    declared = {found: Declaration("retrieval", label="recall@5", judges="evidence", depths="each", k=5, is_column=True)}
    plain = {name: asdict(one) for name, one in declared.items()}
    write_run(tmp_path / "outputs", "aaaa", "retrieval", [{found: 1.0}] * 40, metrics=plain)
    code, _, err = told()
    assert code == 0, err
    columns = json.loads((tmp_path / "reports" / "table.json").read_text(encoding="utf-8"))["columns"]
    assert list(columns) == [found, "seconds/e2e_p50", "learn/seconds", "tokens/total_mean", "n"]
    assert not (tmp_path / "reports" / "figures").exists()


def test_a_run_that_declares_nothing_is_reported_as_by_the_version_before(told: Told, tmp_path: Path) -> None:
    write_run(tmp_path / "outputs", "aaaa", "rag", [{EM: float(at % 2), "answer/stale": float(at % 3 == 0)} for at in range(80)])
    write_run(tmp_path / "outputs", "bbbb", "finetune", [{EM: float(at % 2), "answer/stale": 0.0} for at in range(80)])
    assert told()[0] == 0
    columns = json.loads((tmp_path / "reports" / "table.json").read_text(encoding="utf-8"))["columns"]
    assert list(columns) == [
        *("answer/em", "answer/contains", "answer/f1", "retrieval/recall_1", "abstain/unanswerable"),
        *("seconds/e2e_p50", "learn/seconds", "tokens/total_mean", "n"),
    ]
    assert list(columns.values())[:5] == ["exact match", "contains", "F1", "recall@1", "says unknown when unanswerable"]
    code, out, err = told("compare", "aaaa", "bbbb", "measure=answer/stale")
    assert code == 0, err
    assert "is finetune better, that is lower, by more than 0 than rag on outdated answers? SUPPORTED" in out


COST = "cost/usd_per_correct"
WHOLE = of_runs({"usd_per_correct": "rag_eval.cost.per_correct.usd_per_correct"})
PRICED = ("hardware=cloud_cpu", "utilisation=1")
QUESTION_USD = 0.5 * 0.2016 / 3600  # half a second at the sheet's price of an hour


def paid(root: Path, run_id: str, mode: str, n_right: int, declared: Mapping[str, Declaration] = WHOLE) -> None:
    rows = [{EM: float(at * 37 % 80 < n_right)} for at in range(80)]
    plain = {EM: asdict(DECLARED[EM]), **{name: asdict(one) for name, one in declared.items()}}
    write_run(root / "outputs", run_id, mode, rows, metrics=plain)


def arms_of(folder: Path) -> list[dict[str, Any]]:
    return list(json.loads((folder / "reports" / "table.json").read_text(encoding="utf-8"))["rows"])


def test_runs_are_ranked_by_what_a_right_answer_costs(told: Told, tmp_path: Path) -> None:
    for run_id, mode, n_right in (("aaaa", "closed_book", 0), ("bbbb", "rag", 40), ("cccc", "finetune", 60)):
        paid(tmp_path, run_id, mode, n_right)
    code, out, err = told(f"rank={COST}", *PRICED)
    assert code == 0, err
    assert [row["arm"] for row in arms_of(tmp_path)] == ["finetune", "rag", "closed_book"]  # who is never right has no cost of it
    best, second, last = (row[COST] for row in arms_of(tmp_path))
    assert (best["value"], second["value"]) == (pytest.approx(QUESTION_USD * 80 / 60), pytest.approx(QUESTION_USD * 2))
    assert best["low"] < best["value"] < best["high"] < second["value"]
    assert last["value"] is None
    assert "in the order of USD per right answer, best first" in out
    assert "USD per right answer" in (tmp_path / "reports" / "summary.md").read_text(encoding="utf-8")
    assert "3.7e-05" in out


def test_without_a_price_sheet_the_cost_of_a_right_answer_is_not_measured(told: Told, tmp_path: Path) -> None:
    paid(tmp_path, "aaaa", "rag", 40)
    paid(tmp_path, "bbbb", "finetune", 60)
    assert told(f"rank={COST}")[0] == 0
    assert [row[COST]["value"] for row in arms_of(tmp_path)] == [None, None]
    assert told()[0] == 0
    assert every(COST not in row for row in arms_of(tmp_path))  # no column of nothing
    assert told("compare", "aaaa", "bbbb")[0] == 0
    found = line(tmp_path, "Whole runs, s, utilisation 1", COST)
    assert (found["rag"]["value"], found["rag"]["note"]) == (None, "give hardware= and utilisation=")
    assert found["best first"] == "not measured"


def test_a_comparison_tells_metrics_of_whole_runs_best_first(told: Told, tmp_path: Path) -> None:
    paid(tmp_path, "aaaa", "rag", 40)
    paid(tmp_path, "bbbb", "finetune", 60)
    code, _, err = told("compare", "aaaa", "bbbb", *PRICED, "queries=1", "updates=0", "hours=1")
    assert code == 0, err
    found = line(tmp_path, "Whole runs, usd, utilisation 1", COST)
    assert (found["rag"]["value"], found["best first"]) == (pytest.approx(QUESTION_USD * 2), "finetune, rag")
    code, _, err = told("compare", "aaaa", "bbbb", f"measure={COST}")
    assert code == 2
    assert f"measure={COST}: is of a run as a whole; python -m rag_eval.report rank={COST} puts runs in order by it" in err


def test_lines_are_ordered_by_a_score_of_which_less_is_better(told: Told, tmp_path: Path) -> None:
    ran(tmp_path, "aaaa", "rag", [8.0] * 40)
    ran(tmp_path, "bbbb", "finetune", [2.0] * 40)
    assert told(f"rank={RUDE}")[0] == 0
    assert [row["arm"] for row in arms_of(tmp_path)] == ["finetune", "rag"]
    assert told(f"rank={EM}")[0] == 0
    assert [row["arm"] for row in arms_of(tmp_path)] == ["rag", "finetune"]  # as good: in the order of the runs


@pytest.mark.parametrize("measure", ["forgetting/kl_nats", "probe/batch_disagreement"])
def test_a_measure_that_no_metric_declares_ranks_nothing(told: Told, tmp_path: Path, measure: str) -> None:
    for mode, nats in (("finetune", 2.0), ("rag_finetune", 0.1)):
        extra = {measure: Estimate(nats, nats, nats, 40, 20), "strata/kind/forward": Estimate(0.5, 0.4, 0.6, 40, 20)}
        write_run(tmp_path / "outputs", mode, mode, [{EM: 1.0}] * 40, extra=extra, metrics={EM: asdict(DECLARED[EM])})
    code, _, err = told(f"rank={measure}")
    assert code == 2
    assert err.startswith(f"error: rank={measure}: no metric declares it")
    assert len(err.splitlines()) == 1
    assert told("rank=strata/kind/forward")[0] == 0  # of the primary score


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rank=answer/nothing"], "rank=answer/nothing: no run has it; there are answer/em, "),
        (["rank=answer/colour"], "rank=answer/colour: neither more nor less of it is better"),
        (["hardware=cloud_cpu"], "expected hardware=NAME and utilisation=SHARE together"),
        (["hardware=h900", "utilisation=1"], "hardware=h900: no such price sheet; choices: a100"),
        (["hardware=cloud_cpu", "utilisation=1,0.5"], "utilisation: expected one share"),
    ],
)
def test_what_cannot_be_ranked_or_priced_is_one_line(told: Told, tmp_path: Path, arguments: list[str], said: str) -> None:
    ran(tmp_path, "aaaa", "rag", [8.0] * 40)
    code, _, err = told(*arguments)
    assert code == 2
    assert said in err
    assert len(err.splitlines()) == 1


def test_a_whole_run_metric_that_this_version_lacks_is_not_measured_and_no_other_code_is_called(told: Told, tmp_path: Path) -> None:
    paid(tmp_path, "aaaa", "rag", 40, {COST: replace(WHOLE[COST], function="rag_eval.cost.per_correct.usd_per_smile")})
    paid(tmp_path, "bbbb", "finetune", 60, {COST: replace(WHOLE[COST], function="os.getcwd")})
    assert told("compare", "aaaa", "bbbb", *PRICED, "queries=1", "updates=0", "hours=1")[0] == 0
    found = line(tmp_path, "Whole runs, usd, utilisation 1", COST)
    assert found["rag"]["note"] == "this version has no rag_eval.cost.per_correct.usd_per_smile"
    assert found["finetune"]["value"] is None


def test_a_whole_run_metric_that_was_recorded_under_an_older_name_is_computed_by_the_one_of_today(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(older_targets, "MODULES", {"rag_eval.price": "rag_eval.cost.per_correct"})
    paid(tmp_path, "aaaa", "rag", 40, {COST: replace(WHOLE[COST], function="rag_eval.price.usd_per_correct")})
    assert told(f"rank={COST}", *PRICED)[0] == 0
    assert arms_of(tmp_path)[0][COST]["value"] == pytest.approx(QUESTION_USD * 2)
