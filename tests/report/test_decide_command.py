"""`rag-eval decide` on scripted finished runs: three ways out, what was not measured, and refusals in one line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from rag_eval.cli.main import main
from rag_eval.latency.record import CONDITIONS, LatencyRecord
from rag_eval.latency.store import write_latency
from rag_eval.record.load import RecordedRun
from rag_eval.score.primary import CONTAINS, EM
from rag_eval.testing.finished_runs import write_run
from rag_eval.types import Spend, Timing
from tests.claims import every

N = 120
SECOND = 0.2016 / 3600  # usd, by conf/hardware/cloud_cpu.yaml
ASKED = {
    "queries_per_day": "100",
    "updates_per_week": "1",
    "p95_ms": "1500",
    "min_accuracy": "0.8",
    "utilisation": "0.5",
    "hardware": "cloud_cpu",
}
Told = Callable[..., tuple[int, str, str]]


def scripted(
    root: Path,
    id: str,
    mode: str,
    n_right: int,
    question_s: float,
    spends: Mapping[str, Spend],
    n_contain: int | None = None,
    **changes: Any,
) -> RecordedRun:
    """A run right in the first n_right of its questions; without n_contain its answers are not scored by containment."""
    rows = [{EM: float(at < n_right), "outcome/right": float(at < n_right)} for at in range(N)]
    if n_contain is not None:
        rows = [{**row, CONTAINS: float(at < n_contain)} for at, row in enumerate(rows)]
    seconds = {f"q{at}": {"seconds": {"generate": question_s}} for at in range(N)}
    return write_run(root, id, mode, rows, spends={**spends, "answer": Spend(N * question_s)}, predictions=seconds, **changes)


def timed(run: RecordedRun, seconds: float, n: int = 80, **conditions: Any) -> None:
    how = dict.fromkeys(CONDITIONS) | {"scenario": "single_stream", "n_queries": n, "n_blocks": 8, "cache_state": "warm"} | conditions
    timings = tuple(Timing(f"q{at}", at // 10, 40, 2, {}, seconds * (1 + at % 10 / 100)) for at in range(n))
    write_latency(run.folder, LatencyRecord(how, run.record.mode, run.record.run_id, "s1", timings))


def rag(root: Path, n_right: int = 118, **changes: Any) -> RecordedRun:
    """A question takes a second, a changed document half of one; 130 s before the first question."""
    return scripted(
        root, "aaaa", "rag", n_right, 1.0, {"learn": Spend(10.0, stored_bytes=0), "update": Spend(0.5)}, context="retrieved", **changes
    )


def finetune(root: Path, n_right: int = 118, id: str = "bbbb", **changes: Any) -> RecordedRun:
    """A question takes a quarter of a second, a training an hour; 3,630 s before the first question."""
    return scripted(root, id, "finetune", n_right, 0.25, {"learn": Spend(3600.0)}, weights="trained", **changes)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "outputs"


@pytest.fixture
def told(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Told:
    """`told("rag", key="value")` decides in an empty folder: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def call(*words: str, **changes: str) -> tuple[int, str, str]:
        given = [f"{key}={value}" for key, value in {**ASKED, **changes}.items() if value]
        code = main(["decide", *words, *given])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def written(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "reports" / "decide.json").read_text(encoding="utf-8")))


def cell(made: Mapping[str, Any], title: str, row: str, column: str) -> Any:
    section = next(one for one in made["sections"] if one["title"] == title)
    return next(dict(zip(section["header"], one, strict=True)) for one in section["rows"] if one[0] == row)[column]


def monthly(fixed_s: float, question_s: float, update_s: float, queries_per_day: float) -> float:
    """USD over 365 days, with an update a week, at utilisation 0.5, by months of 730 hours."""
    return (fixed_s + 365 * queries_per_day * question_s + 365 / 7 * update_s) * SECOND / 0.5 / 12


def test_few_questions_and_weekly_updates_are_cheapest_with_retrieval(told: Told, root: Path, tmp_path: Path) -> None:
    timed(rag(root), 1.0)
    timed(finetune(root), 0.25)
    code, out, err = told()
    assert code == 0, err
    made = written(tmp_path)
    assert made["answer"]["winner"] == "rag"
    own, other = monthly(130, 1.0, 0.5, 100), monthly(3630, 0.25, 3600, 100)
    assert cell(made, "Arms against the constraints", "rag", "usd_per_month")["value"] == pytest.approx(own)
    assert cell(made, "Other arms against rag", "finetune", "usd_per_month")["value"] == pytest.approx(other - own)
    assert "rag meets the constraints at least cost" in out
    assert max(map(len, out.split("note: ")[0].splitlines())) <= 80
    flip = next(one for one in made["flips"] if one["input"] == "queries_per_day")["above"][0]
    assert flip["value"] == pytest.approx((3500 + 365 / 7 * 3599.5) / (365 * 0.75))
    assert (flip["answer"], flip["how"]) == ("finetune", "exact")
    assert "# Decision" in (tmp_path / "reports" / "decide.md").read_text(encoding="utf-8")


def test_many_questions_are_cheapest_with_fine_tuning(told: Told, root: Path, tmp_path: Path) -> None:
    timed(rag(root), 1.0)
    timed(finetune(root), 0.25)
    assert told(queries_per_day="2000")[0] == 0
    made = written(tmp_path)
    assert made["answer"]["winner"] == "finetune"
    assert cell(made, "Other arms against finetune", "rag", "usd_per_month")["value"] == pytest.approx(
        monthly(130, 1.0, 0.5, 2000) - monthly(3630, 0.25, 3600, 2000)
    )
    assert made["map"]["winners"][1][:4] == ["rag", "rag", "finetune", "finetune"]  # an update a week, 10 to 10,000 questions a day


def test_no_winner_where_the_cheaper_arm_may_miss_the_accuracy(told: Told, root: Path, tmp_path: Path) -> None:
    timed(rag(root), 1.0)
    timed(finetune(root, n_right=104), 0.25)
    code, out, _ = told(queries_per_day="2000")
    assert code == 0
    assert written(tmp_path)["answer"] | {"sentence": ""} == {"kind": "no winner", "winner": None, "sentence": ""}
    assert "whether it meets the constraints cannot be told (min_accuracy)" in out
    assert "rag is the cheapest that is shown to meet them" in out


def test_an_arm_without_a_latency_is_not_measured_and_not_fast(told: Told, root: Path, tmp_path: Path) -> None:
    timed(rag(root), 1.0)
    tuned = finetune(root)
    assert told(queries_per_day="2000")[0] == 0
    made = written(tmp_path)
    assert made["answer"]["winner"] == "rag"
    assert cell(made, "Arms against the constraints", "finetune", "verdict") == "not measured"
    assert any("finetune: not measured: p95: no single requests were timed; rag-eval latency mode=finetune" in one for one in made["notes"])
    assert "Not measured, and so not in the answer: finetune." in made["answer"]["sentence"]
    timed(tuned, 0.25, forced_tokens=8)  # another length of answer is another question
    assert told(queries_per_day="2000")[0] == 0
    assert written(tmp_path)["answer"]["winner"] == "rag"


def test_too_few_requests_tell_no_p95(told: Told, root: Path, tmp_path: Path) -> None:
    timed(rag(root), 1.0, n=58)
    assert told()[0] == 0
    made = written(tmp_path)
    assert made["answer"]["kind"] == "not measured"
    assert any("58 requests were timed, and it needs 59" in one for one in made["notes"])


def test_a_sheet_that_does_not_sell_what_runs_used_prices_nothing(told: Told, root: Path, tmp_path: Path) -> None:
    timed(rag(root), 1.0)
    assert told(hardware="h100")[0] == 0
    made = written(tmp_path)
    assert made["answer"]["kind"] == "not measured"
    assert cell(made, "Arms against the constraints", "rag", "usd_per_month")["value"] is None
    assert any("cost of all before the first question" in one and "h100 has no cpu_usd_per_hour" in one for one in made["notes"])
    assert cell(made, "The answer by hardware", "cloud_cpu", "answer") == "rag"


def test_none_meets_where_all_miss_the_accuracy(told: Told, root: Path, tmp_path: Path) -> None:
    rag(root, n_right=60)
    finetune(root, n_right=50)
    code, out, _ = told()
    assert code == 0
    assert written(tmp_path)["answer"]["kind"] == "none meets"
    assert "rag fails min_accuracy; finetune fails min_accuracy" in out


def test_an_answer_that_depends_on_the_score_says_so(told: Told, root: Path, tmp_path: Path) -> None:
    timed(rag(root, n_right=60, n_contain=118), 1.0)
    timed(finetune(root, n_contain=118), 0.25)
    assert told()[0] == 0
    made = written(tmp_path)
    assert made["answer"]["winner"] == "finetune"  # the dearer one: exact match lets rag fail
    assert "METRIC-DEPENDENT: by contains in the place of exact match the answer is: rag" in made["notes"]
    assert told(measure="answer/contains")[0] == 0
    assert written(tmp_path)["answer"]["winner"] == "rag"


def test_controls_are_left_out_by_name(told: Told, root: Path, tmp_path: Path) -> None:
    timed(rag(root), 1.0)
    timed(scripted(root, "cccc", "oracle", N, 0.001, {"learn": Spend(0.0)}, context="gold"), 0.001)
    assert told()[0] == 0
    made = written(tmp_path)
    assert made["answer"]["winner"] == "rag"
    assert "left out: oracle: is shown the passages that hold the answer" in made["notes"]


def test_training_seeds_are_one_arm_with_the_interval_of_the_recipe(told: Told, root: Path, tmp_path: Path) -> None:
    timed(rag(root), 1.0)
    for seed, n_right in enumerate((118, 110, 102)):
        run = finetune(root, n_right, id=f"b{seed}", seed=seed, choices={"mode": "finetune", "seed": seed})
        if seed == 1:
            timed(run, 0.25)
    assert told(queries_per_day="2000")[0] == 0
    made = written(tmp_path)
    section = next(one for one in made["sections"] if one["title"] == "Arms against the constraints")
    tuned = next(row for row in section["rows"] if str(row[0]).startswith("finetune"))
    told_of = dict(zip(section["header"], tuned, strict=True))
    assert len(section["rows"]) == 2
    assert told_of["seeds"] == 3
    assert told_of["accuracy"]["value"] == pytest.approx(110 / N)
    assert told_of["accuracy"]["low"] < 102 / N  # three seeds tell little of a fourth
    assert told_of["within"] == "meets"


def test_runs_that_are_named_are_the_arms(told: Told, root: Path, tmp_path: Path) -> None:
    timed(rag(root), 1.0)
    timed(finetune(root), 0.25)
    assert told("rag", queries_per_day="2000")[0] == 0
    assert written(tmp_path)["answer"]["winner"] == "rag"


@pytest.mark.parametrize(
    ("words", "changes", "said"),
    [
        ((), {"p95_ms": "", "hardware": ""}, "expected p95_ms=, hardware= too"),
        ((), {"queries_per_day": "many"}, "queries_per_day: expected a number, got 'many'"),
        ((), {"queries_per_day": "0"}, "queries_per_day: expected a finite number above 0"),
        ((), {"queries_per_day": "1e300"}, "queries_per_day: expected a number of at most 1e+12"),
        ((), {"updates_per_week": "-1"}, "updates_per_week: expected a number of at least 0"),
        ((), {"min_accuracy": "80"}, "min_accuracy: expected a share from 0 to 1"),
        ((), {"utilisation": "0"}, "utilisation: expected shares above 0"),
        ((), {"utilisation": "0.5,1"}, "utilisation: expected one share"),
        ((), {"hardware": "abacus"}, "hardware=abacus: no such price sheet; choices: a100"),
        ((), {"measure": "answer/nothing"}, "measure=answer/nothing: tells no right answers of all these runs; there are answer/em"),
        ((), {"question": "1"}, "expected queries_per_day=VALUE"),
        (("oracle",), {}, "no arm to decide about (left out: oracle"),
        (("nothing",), {}, "nothing: is no run directory"),
        ((), {"runs": "elsewhere"}, "elsewhere: no finished run"),
    ],
)
def test_bad_input_is_one_line(told: Told, root: Path, words: tuple[str, ...], changes: dict[str, str], said: str) -> None:
    rag(root)
    scripted(root, "cccc", "oracle", N, 0.001, {"learn": Spend(0.0)}, context="gold")
    code, out, err = told(*words, **changes)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1


def test_runs_that_may_not_stand_in_one_table_are_refused(told: Told, root: Path) -> None:
    rag(root)
    finetune(root, comparison={"questions": "others"})
    code, _, err = told()
    assert code == 2
    assert "questions differs" in err
    assert told(allow_mismatch="true")[0] == 0


def test_help_names_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decide", "--help"]) == 0
    out = capsys.readouterr().out
    assert every(key in out for key in [*ASKED, "horizon_days", "experiment", "measure", "runs", "out", "allow_mismatch"])
