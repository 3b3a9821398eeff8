"""Two runs against each other: every field filled or not measured, nobody wins by luck, and what does not fit is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from rag_eval.latency.record import CONDITIONS, LatencyRecord
from rag_eval.latency.store import write_latency
from rag_eval.record.load import RecordedRun
from rag_eval.record.run_directory import RunDirectory
from rag_eval.report.__main__ import main
from rag_eval.report.warnings import notes
from rag_eval.score.metric import Declaration, of_runs
from rag_eval.score.primary import EM
from rag_eval.testing.finished_runs import write_run
from rag_eval.types import Spend, Timing
from tests.claims import every, none_of

Told = Callable[..., tuple[int, str, str]]
DECLARED_OF_RUNS = {
    name: asdict(one)
    for name, one in {
        EM: Declaration(tells_right=True),
        **of_runs({"usd_per_correct": "rag_eval.cost.per_correct.usd_per_correct"}),
    }.items()
}


@pytest.fixture
def told(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Told:
    """`told(RUN_A, RUN_B, "key=value")` compares in an empty folder: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        code = main(["compare", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def rows(right: Sequence[int], hit: Sequence[int] | None = None) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for at, score in enumerate(right):
        row: dict[str, Any] = {EM: float(score), "outcome/right": float(score)}
        if hit is not None:
            row |= {"prompt/holds_evidence": float(hit[at]), "prompt/was_given_evidence": float(hit[at])}
            row |= {} if score else {"cause": "in_prompt_unused" if hit[at] else "not_retrieved", "answer/distracted": 0.0}
        made.append(row)
    return made


def sections(folder: Path) -> dict[str, Mapping[str, Any]]:
    made = json.loads((folder / "reports" / "compare.json").read_text(encoding="utf-8"))
    return {one["title"]: one for one in made["sections"]}


def line(section: Mapping[str, Any], name: str) -> dict[str, Any]:
    row = next(row for row in section["rows"] if row[0] == name)
    return dict(zip(section["header"], row, strict=True))


@pytest.fixture
def two(tmp_path: Path) -> tuple[RecordedRun, RecordedRun]:
    """A closed book that knows 5 of 40, and retrieval that finds 32 and reads 30 of them."""
    closed = write_run(tmp_path / "outputs", "aaaa", "closed_book", rows([1] * 5 + [0] * 35))
    rag = write_run(
        tmp_path / "outputs",
        "bbbb",
        "rag",
        rows([0] * 2 + [1] * 30 + [0] * 8, [1] * 32 + [0] * 8),
        context="retrieved",
        spends={"learn": Spend(4.0, stored_bytes=1000), "answer": Spend(40.0), "update": Spend(0.5)},
        predictions={f"q{at}": {"seconds": {"search": 0.25, "generate": 0.75}} for at in range(40)},
    )
    return closed, rag


def test_a_difference_is_decomposed_and_every_part_is_by_hand(told: Told, two: tuple[RecordedRun, RecordedRun], tmp_path: Path) -> None:
    code, out, err = told("aaaa", "bbbb")
    assert code == 0, err
    found = sections(tmp_path)
    declared = line(found["The declared comparison"], "rag - closed_book")
    assert declared["difference of answer/em"]["value"] == pytest.approx(25 / 40)
    assert (declared["only first right"], declared["only second right"]) == (2, 27)
    assert declared["second better by more than 0?"] == "SUPPORTED"
    origin = line(found["Where answers come from"], "rag")
    assert (origin["acc"]["value"], origin["h"]["value"], origin["w_hit"]["value"], origin["w_miss"]["value"]) == (0.75, 0.8, 2 / 32, 1.0)
    split = line(found["Where the difference comes from"], "rag - closed_book")
    assert split["retrieval"]["value"] + split["reading"]["value"] + split["fallback"]["value"] == pytest.approx(25 / 40, abs=1e-12)
    flips = line(found["Rescue and harm"], "rag over closed_book")
    assert (flips["rescue"]["value"], flips["harm"]["value"]) == (27 / 35, 2 / 5)
    why = line(found["Why answers are wrong"], "rag")
    assert (why["not right"], why["not_retrieved"], why["in_prompt_unused"]) == (10, 8, 2)
    assert "is rag better by more than 0 than closed_book on exact match? SUPPORTED. Difference 0.625" in out
    assert "better: rag." in out


def test_no_winner_is_named_where_the_interval_spans_the_threshold(told: Told, tmp_path: Path) -> None:
    write_run(tmp_path / "outputs", "aaaa", "rag", rows([1, 0] * 20))
    write_run(tmp_path / "outputs", "bbbb", "closed_book", rows([0, 1] * 19 + [1, 1]))
    code, out, err = told("aaaa", "bbbb")
    assert code == 0, err
    assert "INCONCLUSIVE(MDE=" in out
    assert "nobody is better as far as these questions tell" in out


def test_costs_are_seconds_of_the_machine_unless_money_is_asked_for(
    told: Told, two: tuple[RecordedRun, RecordedRun], tmp_path: Path
) -> None:
    assert told("aaaa", "bbbb")[0] == 0
    cost = line(sections(tmp_path)["Cost, s, utilisation 1"], "rag")
    assert (cost["learn"]["value"], cost["evaluate"]["value"], cost["a question"]["value"], cost["an update"]["value"]) == (
        4.0,
        40.0,
        1.0,
        0.5,
    )
    even = line(sections(tmp_path)["Break-even, s, utilisation 1"], "rag instead of closed_book")
    assert even["cost ratio of a question"]["value"] == pytest.approx(2.0)
    assert str(even["pays, in questions"]).startswith("never")
    assert even["right answers"] == "0.750 against 0.125"
    code, _, err = told("aaaa", "bbbb", "hardware=cloud_cpu", "utilisation=1.0,0.1", "queries=1000", "updates=0", "hours=720")
    assert code == 0, err
    found = sections(tmp_path)
    once, tenth = (line(found[f"Cost, usd, utilisation {share}"], "rag")["a question"]["value"] for share in ("1", "0.1"))
    assert tenth == pytest.approx(10 * once)


def test_energy_is_told_with_and_without_idle_power(told: Told, two: tuple[RecordedRun, RecordedRun], tmp_path: Path) -> None:
    spends = {"learn": Spend(8.0, cpu_joules=300.0, energy_s=10.0), "answer": Spend(2.0)}
    write_run(tmp_path / "outputs", "eeee", "finetune", rows([1] * 40), spends=spends, idle_watts={"cpu_watts": 20.0, "device_watts": None})
    assert told("aaaa", "eeee")[0] == 0
    learn = line(sections(tmp_path)["Energy, J"], "finetune: learn")
    assert (learn["processor"]["value"], learn["processor above idle"]["value"], learn["device"]["value"]) == (300.0, 100.0, None)


def test_the_other_runs_of_the_experiment_are_trials_and_failed_ones_are_paid_for(
    told: Told, two: tuple[RecordedRun, RecordedRun], tmp_path: Path
) -> None:
    write_run(
        tmp_path / "outputs", "cccc", "rag", rows([1] * 40, [1] * 40), context="retrieved", choices={"k": 9}, spends={"learn": Spend(7.0)}
    )
    assert told("aaaa", "bbbb")[0] == 0
    found = sections(tmp_path)
    assert line(found["Cost, s, utilisation 1"], "rag")["trials and failed runs"]["value"] == 7.0
    ledger = line(found["Ledger of the experiment"], "rag: learn")
    assert (ledger["runs"], ledger["trials"], ledger["s"]["value"]) == (2, 1, 11.0)


def timed(run: RecordedRun, session: str, prompt_tokens: int, seconds: Mapping[str, float]) -> None:
    conditions = dict.fromkeys(CONDITIONS) | {
        "scenario": "single_stream",
        "n_queries": 80,
        "n_blocks": 8,
        "threads": 2,
        "cache_state": "warm",
    }
    timings = tuple(
        Timing(
            f"q{at}", at // 10, prompt_tokens, 5, {stage: s + at / 1e6 for stage, s in seconds.items()}, sum(seconds.values()) + at / 1e5
        )
        for at in range(80)
    )
    write_latency(run.folder, LatencyRecord(conditions, run.record.mode, run.record.run_id, session, timings))


def test_latencies_of_one_session_are_compared_and_explained(told: Told, two: tuple[RecordedRun, RecordedRun], tmp_path: Path) -> None:
    closed, rag = two
    assert told(closed.folder, rag.folder)[0] == 0
    assert "rag-eval latency" in str(sections(tmp_path)["Latency: rag against closed_book"]["rows"])
    timed(closed, "s1", 40, {"prompt": 0.001, "prefill": 0.1, "decode": 0.4})
    timed(rag, "s1", 240, {"search": 0.05, "prompt": 0.001, "prefill": 0.6, "decode": 0.4})
    timed(rag, "s2", 240, {"search": 9.0, "prompt": 0.001, "prefill": 0.6, "decode": 0.4})
    assert told(closed.folder, rag.folder)[0] == 0
    section = sections(tmp_path)["Latency, single_stream: rag against closed_book"]
    whole = line(section, "latency/e2e_p50_ms")
    assert whole["ratio"]["value"] == pytest.approx(1.051 / 0.501, rel=1e-2)
    assert line(section, "latency/e2e_p95_ms")["rag"]["value"] > whole["rag"]["value"]
    assert any("agrees" in row for row in section["rows"])


def test_runs_that_differ_in_what_must_be_equal_are_refused_by_name(
    told: Told, two: tuple[RecordedRun, RecordedRun], tmp_path: Path
) -> None:
    write_run(tmp_path / "outputs", "dddd", "finetune", rows([1] * 40), comparison={"dtype": "bfloat16"})
    code, _, err = told("aaaa", "dddd")
    assert code == 2
    assert err.startswith("error: dtype differs: float32 (closed_book, run aaaa) and bfloat16 (finetune, run dddd)")
    code, _, _ = told("aaaa", "dddd", "allow_mismatch=true")
    assert code == 0
    assert "MISMATCH, compared all the same: dtype differs" in (tmp_path / "reports" / "compare.md").read_text(encoding="utf-8").replace(
        "\\", ""
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["aaaa"], "expected at least two runs"),
        (["aaaa", "aaaa"], "expected different runs"),
        (["aaaa", "zzzz"], "zzzz: is no run directory and no mode with a finished run under outputs, and no id begins with it"),
        (["aaaa", "bbbb", "measure=answer/nothing"], "not every run has it of its questions; all have answer/em"),
        (["aaaa", "bbbb", "hardware=h900", "utilisation=1", "queries=1", "updates=0", "hours=1"], "no such price sheet; choices: a100"),
        (["aaaa", "bbbb", "hardware=h200"], "hardware=h200 needs utilisation=, queries=, updates=, hours= too"),
        (["aaaa", "bbbb", "hardware=h200", "utilisation=2", "queries=1", "updates=0", "hours=1"], "utilisation: expected shares above 0"),
        (["aaaa", "bbbb", "margin=0"], "margin: expected a number above 0"),
        (["aaaa", "bbbb", "threshold=x"], "threshold: expected a number"),
        (["aaaa", "bbbb", "colour=red"], "expected measure=VALUE"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    told: Told, two: tuple[RecordedRun, RecordedRun], tmp_path: Path, arguments: list[str], said: str
) -> None:
    code, out, err = told(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "reports").exists()


def test_an_unfinished_run_is_refused_with_its_status(told: Told, two: tuple[RecordedRun, RecordedRun]) -> None:
    (two[1].folder / "manifest.json").unlink()
    code, _, err = told("aaaa", "bbbb")
    assert code == 2
    assert "no finished run (its files were changed)" in err


def test_seeds_of_a_recipe_get_an_interval_of_their_own(told: Told, tmp_path: Path) -> None:
    for seed, run_id in enumerate(("aaaa", "bbbb", "cccc")):
        right = [1] * (20 + 4 * seed) + [0] * (20 - 4 * seed)
        write_run(
            tmp_path / "outputs", run_id, "finetune", rows(right), weights="trained", seed=seed, choices={"mode": "finetune", "seed": seed}
        )
    write_run(tmp_path / "outputs", "dddd", "closed_book", rows([0] * 39 + [1]))
    assert told("dddd", "aaaa")[0] == 0
    row = line(sections(tmp_path)["Seeds"], "finetune")
    assert row["seeds"] == 3
    assert row["these runs"]["value"] == pytest.approx(24 / 40)
    assert row["the recipe"]["high"] - row["the recipe"]["low"] > row["these runs"]["high"] - row["these runs"]["low"]


def test_a_folder_of_runs_may_be_renamed(told: Told, tmp_path: Path) -> None:
    for seed in range(3):
        right = [int(at % 10 < 7 + seed) for at in range(40)]
        write_run(tmp_path / "outputs", f"s{seed}", "finetune", rows(right), choices={"k": 3}, seed=seed, weights="trained")
    write_run(tmp_path / "outputs", "b0", "closed_book", rows([0] * 40), metrics=DECLARED_OF_RUNS)
    (tmp_path / "outputs" / "study" / "s1").rename(tmp_path / "outputs" / "study" / "best")
    (tmp_path / "outputs" / "study").rename(tmp_path / "outputs" / "kept")
    code, _, err = told("b0", "s0")
    assert code == 0, err
    assert sections(tmp_path)["Seeds"]["rows"][1][1] == 3
    assert told("b0", "s1")[0] == told("b0", "best")[0] == 0  # by its id and by its folder
    assert main([]) == 0


def test_text_of_models_and_documents_stays_inert_in_the_report(told: Told, tmp_path: Path) -> None:
    write_run(tmp_path / "outputs", "aaaa", "rag", rows([1] * 40), choices={"prompt.system": "<script>x</script>|[a](b)"})
    write_run(tmp_path / "outputs", "bbbb", "rag", rows([0] * 40), choices={"prompt.system": "plain"})
    assert told("aaaa", "bbbb")[0] == 0
    made = (tmp_path / "reports" / "compare.md").read_text(encoding="utf-8")
    assert "<script>" not in made
    assert "\\[a\\]" in made


def test_two_runs_of_one_arm_keep_their_own_costs_and_latencies(told: Told, tmp_path: Path) -> None:
    first, _ = (
        write_run(
            tmp_path / "outputs",
            run_id,
            "rag",
            rows([1, 0] * 20),
            spends={"learn": Spend(seconds, stored_bytes=1), "answer": Spend(20.0)},
            source=run_id,
        )
        for run_id, seconds in (("aaaa1111", 4.0), ("bbbb2222", 9.0))
    )
    timed(first, "s1", 40, {"prompt": 0.001, "prefill": 0.1, "decode": 0.4})
    assert told("aaaa", "bbbb")[0] == 0
    found = sections(tmp_path)
    costs = [row[1]["value"] for row in found["Cost, s, utilisation 1"]["rows"]]
    assert costs == [4.0, 9.0]
    assert found["Latency: rag (bbbb2222) against rag (aaaa1111)"]["rows"][0][1]["value"] is None


def test_settings_in_another_order_are_the_same_configuration(tmp_path: Path) -> None:
    choices: list[dict[str, Any]] = [{"mode": "rag", "x": 1, "y": 2}, {"mode": "rag", "y": 2, "x": 1}, {"mode": "rag", "x": 1, "y": 3}]
    records = [write_run(tmp_path, str(seed), "rag", rows([1, 0] * 20), choices=one, seed=seed).record for seed, one in enumerate(choices)]
    same, all_three = (" ".join(notes([("rag", one) for one in those], those)) for those in (records[:2], records))
    assert "configurations of rag" not in same
    assert "2 configurations of rag were tried" in all_three


def test_what_a_run_took_over_from_its_trials_is_paid_once(told: Told, tmp_path: Path) -> None:
    """A dev run trains for 100 s; the test run takes the adapter from the cache."""
    dev = {"mode": "finetune", "split": "dev"}
    write_run(
        tmp_path / "outputs", "dddd", "finetune", rows([1] * 40), choices=dev, comparison={"questions": "dev"}, weights="trained",
        spends={"learn": Spend(100.0), "answer": Spend(2.0)},
    )  # fmt: skip
    write_run(
        tmp_path / "outputs", "eeee", "finetune", rows([1] * 40), choices={**dev, "split": "test"}, weights="trained",
        spends={"learn": Spend(101.0, cached=True, reused_s=100.0), "answer": Spend(2.0)},
    )  # fmt: skip
    write_run(tmp_path / "outputs", "aaaa", "closed_book", rows([0] * 40))
    assert told("aaaa", "eeee")[0] == 0
    cost = line(sections(tmp_path)["Cost, s, utilisation 1"], "finetune")
    assert (cost["learn"]["value"], cost["trials and failed runs"]["value"]) == (101.0, 2.0)
    notes = json.loads((tmp_path / "reports" / "compare.json").read_text(encoding="utf-8"))["notes"]
    assert none_of("configurations" in note for note in notes)  # settings were chosen on other questions


@pytest.mark.parametrize(("is_hosted", "usd"), [(True, 1_000_000 * 0.20e-6 + 100_000 * 1.25e-6), (False, None)])
def test_written_training_data_are_in_the_cost_of_each_arm_that_learned_from_them_and_once_in_the_ledger(
    told: Told, tmp_path: Path, is_hosted: bool, usd: float | None
) -> None:
    spends = {"learn": Spend(100.0), "answer": Spend(2.0), "data_generation": Spend(30.0, n_prompt_tokens=10**6, n_output_tokens=10**5)}
    taught = {"weights": "trained", "spends": spends, "written": {"id": "w", "is_hosted": is_hosted}}
    write_run(tmp_path / "outputs", "aaaa", "finetune", rows([1] * 40), **taught)
    write_run(tmp_path / "outputs", "bbbb", "rag_finetune", rows([1] * 40), **taught)
    write_run(tmp_path / "outputs", "cccc", "finetune", rows([1] * 40), **taught, seed=1)
    write_run(tmp_path / "outputs", "dddd", "closed_book", rows([0] * 40))
    assert told("dddd", "aaaa", "bbbb", "queries=100", "updates=0", "hours=0")[0] == 0
    found = sections(tmp_path)
    cost = found["Cost, s, utilisation 1"]
    assert [line(cost, arm)["data generation"]["value"] for arm in ("closed_book", "finetune", "rag_finetune")] == [0.0, 30.0, 30.0]
    assert line(cost, "finetune")["all in, a question"]["value"] == pytest.approx((100 + 30 + 2 + 0) / 100 + 0.5)
    ledger = line(found["Ledger of the experiment"], "lessons: data_generation")
    assert (ledger["runs"], ledger["s"]["value"], ledger["tokens in"]) == (1, 30.0, "1,000,000")
    told("dddd", "aaaa", "hardware=api_small", "utilisation=1", "queries=100", "updates=0", "hours=0")
    assert line(sections(tmp_path)["Cost, usd, utilisation 1"], "finetune")["data generation"]["value"] == (usd and pytest.approx(usd))


@pytest.mark.parametrize(
    ("is_hosted", "hardware", "cost"),
    [
        (True, "", 30.0),
        (False, "", 30.0),
        (True, "api_small", 1_000_000 * 0.20e-6 + 100_000 * 1.25e-6),
        (False, "api_small", None),  # sells tokens, no machine
        (True, "h200", None),  # sells a machine, no tokens
    ],
)
def test_lessons_of_a_trial_are_paid_by_the_token_where_a_service_wrote_them_and_by_the_machine_otherwise(
    told: Told, tmp_path: Path, is_hosted: bool, hardware: str, cost: float | None
) -> None:
    lessons = {"data_generation": Spend(30.0, device_seconds=30.0, n_prompt_tokens=10**6, n_output_tokens=10**5)}
    write_run(
        tmp_path / "outputs", "bbbb", "finetune", rows([1] * 40), weights="trained", learned_from="others", spends=lessons,
        written={"id": "w", "is_hosted": is_hosted},
    )  # fmt: skip
    write_run(tmp_path / "outputs", "aaaa", "finetune", rows([1] * 40), weights="trained", learned_from="these")
    write_run(tmp_path / "outputs", "dddd", "closed_book", rows([0] * 40))
    terms = [f"hardware={hardware}", "utilisation=1", "queries=100", "updates=0", "hours=0"] if hardware else []
    assert told("dddd", "aaaa", *terms)[0] == 0
    section = next(one for title, one in sections(tmp_path).items() if title.startswith("Cost, "))
    assert line(section, "finetune")["trials and failed runs"]["value"] == (cost and pytest.approx(cost))


def test_a_run_that_ended_without_a_word_makes_trials_unknown(told: Told, two: tuple[RecordedRun, RecordedRun], tmp_path: Path) -> None:
    lost = RunDirectory.open(tmp_path / "outputs", "study", "ffff")
    lost.begin("seed: 0\n", two[1].record.facts)
    assert told("aaaa", "bbbb")[0] == 0
    assert line(sections(tmp_path)["Cost, s, utilisation 1"], "rag")["trials and failed runs"]["value"] is None
    assert "1 runs or attempts ended without a word" in sections(tmp_path)["Ledger of the experiment"]["reading"]


def test_an_update_of_a_trained_arm_that_retrieves_is_both_a_training_and_an_upsert(told: Told, tmp_path: Path) -> None:
    write_run(
        tmp_path / "outputs", "aaaa", "rag_finetune", rows([1] * 40, [1] * 40), context="retrieved", weights="trained",
        spends={"learn": Spend(100.0, stored_bytes=1), "answer": Spend(2.0), "update": Spend(0.5)},
    )  # fmt: skip
    write_run(tmp_path / "outputs", "bbbb", "closed_book", rows([0] * 40))
    assert told("bbbb", "aaaa")[0] == 0
    assert line(sections(tmp_path)["Cost, s, utilisation 1"], "rag_finetune")["an update"]["value"] == 100.5


def test_a_right_answer_to_an_unanswerable_question_counts_as_right(told: Told, tmp_path: Path) -> None:
    half = [*rows([1] * 16 + [0] * 4), *({"is_answerable": False, "abstain/unanswerable": 1.0} for _ in range(20))]
    write_run(tmp_path / "outputs", "aaaa", "rag", half, spends={"learn": Spend(0.0), "answer": Spend(0.0)})
    write_run(tmp_path / "outputs", "bbbb", "closed_book", half)
    assert told("aaaa", "bbbb", "queries=100", "updates=0", "hours=1")[0] == 0
    cost = line(sections(tmp_path)["Cost, s, utilisation 1"], "rag")
    assert cost["all in, a right answer"]["value"] == pytest.approx(0.5 / 0.9)  # 36 of 40 are right; a question takes 0.5 s


def test_less_is_better_where_it_is(told: Told, tmp_path: Path) -> None:
    write_run(tmp_path / "outputs", "aaaa", "rag", [{EM: 1.0, "outcome/wrong": 0.0}] * 39 + [{EM: 0.0, "outcome/wrong": 1.0}])
    write_run(tmp_path / "outputs", "bbbb", "closed_book", [{EM: 0.0, "outcome/wrong": 1.0}] * 40)
    _, out, _ = told("aaaa", "bbbb", "measure=outcome/wrong")
    assert "is closed_book better, that is lower, by more than 0 than rag on wrong answers? REFUTED" in out
    assert "better: rag." in out
    _, out, _ = told("bbbb", "aaaa", "measure=outcome/wrong")
    assert "SUPPORTED" in out
    assert "better: rag." in out


def test_verdicts_of_several_pairs_hold_together(told: Told, tmp_path: Path) -> None:
    for run_id, right in (("aaaa", [1, 0] * 20), ("bbbb", [1, 0] * 14 + [1, 1] * 6), ("cccc", [0, 1] * 20), ("dddd", [1, 0] * 20)):
        write_run(tmp_path / "outputs", run_id, "rag", rows(right), choices={"id": run_id})
    _, out, _ = told("aaaa", "bbbb")
    assert "SUPPORTED" in out.splitlines()[-2]
    widths = []
    for others in (["bbbb"], ["bbbb", "cccc", "dddd"]):
        assert told("aaaa", *others)[0] == 0
        first = sections(tmp_path)["The declared comparison"]["rows"][0][1]
        widths.append(first["high"] - first["low"])
    assert widths[1] > 1.2 * widths[0]


def test_a_term_without_variation_has_no_interval_rather_than_one_of_no_width(told: Told, tmp_path: Path) -> None:
    for run_id in ("aaaa", "bbbb"):
        write_run(tmp_path / "outputs", run_id, "rag", rows([1, 0] * 20, [1] * 40), context="retrieved", choices={"id": run_id})
    assert told("aaaa", "bbbb")[0] == 0
    split = sections(tmp_path)["Where the difference comes from"]["rows"][0]
    assert every(term["low"] is None and "no resample varies" in term["note"] for term in split[2:])
    assert split[1]["low"] < 0 < split[1]["high"]


def test_runs_of_an_earlier_version_are_left_out_and_said(told: Told, two: tuple[RecordedRun, RecordedRun], tmp_path: Path) -> None:
    old = tmp_path / "outputs" / "study" / "0000"
    old.mkdir()
    plain = json.loads((two[0].folder / "run.json").read_text(encoding="utf-8"))
    del plain["facts"]["context"], plain["facts"]["audit"]
    (old / "run.json").write_text(json.dumps({**plain, "run_id": "0000", "schema_version": 1}), encoding="utf-8")
    code, _, err = told("aaaa", "bbbb")
    assert code == 0, err
    assert "1 runs that an earlier version recorded are in no count" in (tmp_path / "reports" / "compare.md").read_text(encoding="utf-8")


def test_a_score_that_reaches_below_0_is_compared_and_what_needs_a_share_is_by_the_primary_score(told: Told, tmp_path: Path) -> None:
    for run_id, mode, reliability in (("aaaa", "rag", -1.0), ("bbbb", "closed_book", 1.0)):
        scored = [{EM: float(reliability > 0 or not at), "answer/reliability": reliability if at else 1.0} for at in range(40)]
        write_run(tmp_path / "outputs", run_id, mode, scored)
    code, _, err = told("aaaa", "bbbb", "measure=answer/reliability")
    assert code == 0, err
    found = sections(tmp_path)
    difference = line(found["The declared comparison"], "closed_book - rag")["difference of answer/reliability"]
    assert difference["value"] == pytest.approx(2 * 39 / 40)
    assert difference["high"] <= 2.0
    assert line(found["Where answers come from"], "rag")["acc"]["value"] == 1 / 40
    assert line(found["Break-even, s, utilisation 1"], "closed_book instead of rag")["right answers"] == "1.000 against 0.025"


def test_a_mode_names_its_newest_run_of_an_experiment(told: Told, two: tuple[RecordedRun, RecordedRun], tmp_path: Path) -> None:
    write_run(tmp_path / "outputs", "gggg", "rag", rows([1] * 40, [1] * 40), experiment="other", context="retrieved")
    assert told("closed_book", "rag", "experiment=study")[0] == 0
    assert line(sections(tmp_path)["Scores"], "answer/em")["rag"]["value"] == 0.75
    code, _, err = told("closed_book", "rag", "experiment=nothing")
    assert code == 2
    assert "under outputs/nothing" in err


def test_a_run_is_counted_once_however_it_is_named(told: Told, two: tuple[RecordedRun, RecordedRun], tmp_path: Path) -> None:
    write_run(tmp_path / "outputs", "cccc", "rag", rows([1] * 40, [1] * 40), context="retrieved", choices={"k": 9})
    code, _, err = told("aaaa", two[1].folder.resolve())
    assert code == 0, err
    assert line(sections(tmp_path)["Ledger of the experiment"], "rag: learn")["runs"] == 2


def test_a_run_that_stands_in_both_experiments_is_paid_for_once_and_each_attempt_that_failed_too(
    told: Told, two: tuple[RecordedRun, RecordedRun], tmp_path: Path
) -> None:
    spends = two[1].record.spends
    write_run(tmp_path / "outputs", "bbbb", "rag", rows([0] * 40), experiment="other", context="retrieved", spends=spends)
    write_run(tmp_path / "outputs", "cccc", "finetune", rows([1] * 40), experiment="other")
    for experiment in ("study", "other"):
        failed = RunDirectory.open(tmp_path / "outputs", experiment, "dddd")
        failed.begin("", two[1].record.facts)
        failed.end("FAILED", "no memory", {"answer": Spend(7.0)})
    code, _, err = told(two[1].folder, "outputs/other/cccc")
    assert code == 0, err
    found = sections(tmp_path)
    answered = line(found["Ledger of the experiment"], "rag: evaluate")
    assert (answered["runs"], answered["not finished"], answered["s"]["value"]) == (3, 2, 40.0 + 7.0 + 7.0)
    assert line(found["Cost, s, utilisation 1"], "rag")["trials and failed runs"]["value"] == 14.0


def test_the_report_says_which_runs_these_are_and_of_how_many_clusters(
    told: Told, two: tuple[RecordedRun, RecordedRun], tmp_path: Path
) -> None:
    assert told("aaaa", "bbbb")[0] == 0
    found = sections(tmp_path)
    assert [row[:3] for row in found["Runs"]["rows"]] == [
        ["closed_book", "outputs/study/aaaa", "made"],
        ["rag", "outputs/study/bbbb", "made"],
    ]
    assert found["The declared comparison"]["rows"][0][2] == "40 (20)"


def test_with_few_clusters_nothing_is_supported_and_nobody_wins(told: Told, tmp_path: Path) -> None:
    for run_id, right in (("aaaa", [0] * 16), ("bbbb", [1] * 14 + [1, 0])):
        write_run(tmp_path / "outputs", run_id, "rag", rows(right), choices={"id": run_id})
    _, out, _ = told("aaaa", "bbbb")
    assert "only 8 clusters: intervals of so few hold roughly at best, so nothing is supported, refuted or won" in " ".join(out.split())
    assert "INCONCLUSIVE(MDE=0." in out
    assert "nobody is better as far as these questions tell, with 8 clusters of the 10 that a verdict needs" in out
