"""`rag-eval table` on a small folder of documents: plan, arms, sessions, report; what fails and what is left out is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rag_eval.cli.table import table
from tests.claims import every
from tests.commands import Ended
from tests.own_table.village_files import write_villages

pytestmark = pytest.mark.flow
ECHO = ("generator=echo", "retriever=bm25", "tracking=none", "n_probe=0")
QUICK = ("generator=tiny", "tracking=none", "n_probe=0", "adapter.epochs=1", "retriever=bm25")
Call = Callable[..., Ended]


@pytest.fixture
def call(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """`call("arms=rag", ...)` runs the command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> Ended:
        capfd.readouterr()
        code = table(list(arguments))
        out, err = capfd.readouterr()
        return Ended(code, out, err)

    return run


def written(tmp_path: Path) -> dict[str, Any]:
    return dict(json.loads((tmp_path / "reports/own/table.json").read_text(encoding="utf-8")))


def claims_in(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {claim["id"]: claim for row in data["rows"] for claim in row["claims"]}


def forbid_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no model answer from here on."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a model is asked")

    monkeypatch.setattr("rag_eval.generate.hf.HF.generate", refuse)
    monkeypatch.setattr("rag_eval.generate.echo.Echo.generate", refuse)


def test_the_plan_tells_every_arm_and_its_cost_and_runs_none(tmp_path: Path, call: Call) -> None:
    ended = call(*write_villages(tmp_path), *QUICK, "plan=only", "arms=closed_book,rag,finetune")
    assert ended.code == 0, ended.err
    assert every(what in ended.out for what in ("index", "training of finetune", "closed_book", "rag", "latency, equal lengths"))
    assert "dataset.split_by=question" in ended.out
    assert "USD of machine time by the sheet laptop_cpu" in ended.out
    assert not (tmp_path / "outputs").exists()
    assert not (tmp_path / "reports").exists()


def test_a_training_of_all_weights_is_planned(tmp_path: Path, call: Call) -> None:
    ended = call(*write_villages(tmp_path), *QUICK, "plan=only", "arms=finetune", "adapter=full")
    assert ended.code == 0, ended.err
    assert "is not known" not in ended.out


@pytest.mark.slow
def test_one_command_makes_the_table_and_a_second_one_asks_no_model(tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    command = (*write_villages(tmp_path), *QUICK)
    first = call(*command)
    assert first.code == 0, first.err
    data = written(tmp_path)
    claims = claims_in(data)
    assert [row["name"] for row in data["rows"]][::5] == ["Customization", "Scalability"]
    tailored = claims["adaptability/fine-tuning-tailored"]
    assert tailored["number"]["n"] == 12
    assert tailored["verdict"] == "INCONCLUSIVE"  # six villages are too few clusters
    assert claims["adaptability/rag-follows"]["reason"].startswith("versions of the documents")
    assert every(one["reason"] for one in claims.values() if one["verdict"] == "NOT MEASURED")
    assert claims["inference-time/fine-tuning-slowest-answers"]["reason"] == "12 requests were timed, and a 95th percentile needs 59"
    assert claims["inference-time/rag-retrieval"]["number"]["n"] == 12
    page = (tmp_path / "reports/own/summary.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert every(text in page for text in ("How many questions would be needed", "The answer by load", "What is left out"))
    assert (tmp_path / "reports/own/figures/cumulative-cost.svg").is_file()
    needed = next(one for one in data["sections"] if one["title"] == "How many questions would be needed")
    told = {row[0]: row[-1] for row in needed["rows"]}[tailored["id"]]
    assert int(told.removeprefix("at least ").replace(",", "")) >= 20  # ten clusters of two questions

    forbid_answers(monkeypatch)
    again = call(*command)
    assert again.code == 0, again.err
    assert claims_in(written(tmp_path))["inference-time/rag-retrieval"]["number"] == claims["inference-time/rag-retrieval"]["number"]


def test_an_arm_that_fails_is_named_and_leaves_the_others(tmp_path: Path, call: Call) -> None:
    ended = call(*write_villages(tmp_path), *QUICK, "arms=closed_book,rag,finetune", "adapter.target_modules=[nothing]")
    assert ended.code == 3
    assert "finetune: " in ended.err
    data = written(tmp_path)
    assert claims_in(data)["adaptability/fine-tuning-tailored"]["reason"].startswith("finetune failed: ")
    assert any(one.startswith("failed: finetune: ") for one in data["notes"])
    assert any(one["verdict"] != "NOT MEASURED" for one in claims_in(data).values())


def test_an_arm_that_the_data_do_not_allow_is_left_out_by_name(tmp_path: Path, call: Call) -> None:
    ended = call(*write_villages(tmp_path, has_evidence=False), *ECHO, "plan=only")
    assert ended.code == 0, ended.err
    assert "left out: oracle: cannot be run on these data: " in ended.out


def test_an_arm_that_was_named_and_cannot_be_run_is_an_error(tmp_path: Path, call: Call) -> None:
    ended = call(*write_villages(tmp_path, has_evidence=False), *ECHO, "arms=closed_book,oracle")
    assert ended.code == 2
    assert len(ended.err.splitlines()) == 1


def test_a_generator_without_weights_leaves_out_what_is_trained(tmp_path: Path, call: Call) -> None:
    ended = call(*write_villages(tmp_path), *ECHO, "plan=only")
    assert ended.code == 0, ended.err
    assert "left out: finetune: " in ended.out
    assert "training of" not in ended.out


def test_bad_questions_are_refused_before_a_model_loads(tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_answers(monkeypatch)
    named = write_villages(tmp_path)
    (tmp_path / "qa.csv").write_text("id,question,answers\nq1,,Arvowash\n", encoding="utf-8")
    ended = call(*named, *ECHO)
    assert ended.code == 2
    assert ended.err.startswith("error: ")


def test_without_a_generator_the_command_says_which_is_needed(tmp_path: Path, call: Call) -> None:
    ended = call(*write_villages(tmp_path))
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "generator=smollm2" in ended.err


def test_a_load_decides_in_place_of_the_map(tmp_path: Path, call: Call) -> None:
    load = ("queries_per_day=100", "updates_per_week=1", "p95_ms=5000", "min_accuracy=0")
    ended = call(*write_villages(tmp_path), *ECHO, "arms=closed_book,rag", *load)
    assert ended.code == 0, ended.err
    titles = [one["title"] for one in written(tmp_path)["sections"]]
    assert "Arms against the constraints" in titles
