from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rag_eval.record.facts_json import read_facts
from rag_eval.record.run_directory import RunDirectory
from rag_eval.report.__main__ import main
from rag_eval.report.markdown import escape, inert
from rag_eval.types import Estimate, Spend
from tests.claims import every
from tests.record.samples import FACTS, PLAIN_FACTS, prediction

Record = Callable[..., None]
EM = Estimate(0.91237, 0.88, 0.93, 500, 60)


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Records one finished run; comparison and facts may be changed."""

    def make(run_id: str, mode: str = "rag", comparison: Any = (), learn: Any = None, estimates: Any = None, **facts: Any) -> None:
        told = {**copy.deepcopy(PLAIN_FACTS), "mode": mode, **facts}
        told["comparison"] |= dict(comparison)
        run = RunDirectory.open(tmp_path / "outputs", "study", run_id)
        measured = {"answer/em": EM} if estimates is None else estimates
        recorded = read_facts(told, measured)
        run.begin("", recorded)
        run.append([prediction("q1")])
        spends = {"learn": learn or Spend(12.345), "answer": Spend(3.0)}
        run.finish([], spends, measured, recorded)

    return make


@pytest.fixture
def report(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Runs the report in 240 columns: exit code, standard output, standard error."""
    monkeypatch.setenv("COLUMNS", "240")

    def run(*options: str) -> tuple[int, str, str]:
        code = main([f"runs={tmp_path / 'outputs'}", f"out={tmp_path / 'reports'}", *options])
        return code, *capsys.readouterr()

    return run


def rows(tmp_path: Path) -> list[dict[str, Any]]:
    return list(json.loads((tmp_path / "reports" / "table.json").read_text())["rows"])


def summary(tmp_path: Path) -> str:
    return (tmp_path / "reports" / "summary.md").read_text()


def markdown_cells(tmp_path: Path) -> list[list[str]]:
    lines = [line for line in summary(tmp_path).splitlines() if line.startswith("| ")]
    return [[cell.strip().replace("\\", "") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines if "---" not in line]


def test_without_runs_it_says_which_command_makes_one(report: Any) -> None:
    code, _, error = report()
    assert code == 2
    assert "python run.py mode=rag" in error
    assert error.count("\n") == 1


def test_a_line_shows_estimates_with_intervals_rounded_once(record: Record, report: Any, tmp_path: Path) -> None:
    record("a1", estimates={"answer/em": EM, "retrieval/recall_5": EM, "abstain/unanswerable": Estimate(0.0, 0.0, 0.1, 9, 9)})
    code, out, _ = report()
    assert code == 0
    assert "0.912 [0.880, 0.930]" in " ".join(out.split())
    head, line = markdown_cells(tmp_path)
    shown = dict(zip(head, line, strict=True))
    assert shown["arm"] == "rag"
    assert head[:4] == ["arm", "exact match", "contains", "F1"]
    assert shown["exact match"] == shown["recall@5"] == "0.912 [0.880, 0.930]"
    assert shown["says unknown when unanswerable"] == "0.000 [0.000, 0.100]"  # measured, and nothing
    assert [shown[name] for name in ("seconds a question (p50)", "seconds to learn", "tokens a question", "n")] == [
        "0.25",
        "12.3",
        "42",
        "2",
    ]
    assert rows(tmp_path)[0]["answer/em"]["value"] == 0.91237
    assert rows(tmp_path)[0]["answer/em"]["n"] == 500


def test_what_was_not_measured_says_so_and_is_never_zero(record: Record, report: Any, tmp_path: Path) -> None:
    record("a1", estimates={"answer/em": Estimate(float("nan"), 0.0, 1.0, 0, 0)}, seconds={}, tokens={}, learn=Spend(None))
    assert report()[0] == 0
    head, line = markdown_cells(tmp_path)
    shown = dict(zip(head, line, strict=True))
    assert {name for name, cell in shown.items() if cell == "not measured"} == set(head) - {"arm", "n"}
    assert rows(tmp_path)[0]["answer/em"]["value"] is None


@pytest.mark.parametrize(("seconds", "shown"), [(None, "cached"), (12.0, "12 (cached)")])
def test_a_cached_stage_is_called_cached(record: Record, report: Any, tmp_path: Path, seconds: float | None, shown: str) -> None:
    record("a1", learn=Spend(seconds, cached=True))
    report()
    head, line = markdown_cells(tmp_path)
    assert dict(zip(head, line, strict=True))["seconds to learn"] == shown
    assert rows(tmp_path)[0]["learn/seconds"]["value"] == seconds


def test_a_time_too_short_to_show_is_not_shown_as_zero(record: Record, report: Any, tmp_path: Path) -> None:
    record("a1", learn=Spend(2e-6))
    report()
    assert "<0.001" in [cell.replace("&lt;", "<") for cell in markdown_cells(tmp_path)[1]]


@pytest.mark.parametrize("field", ["dataset", "questions", "base_model", "decoding", "prompt"])
def test_runs_that_are_not_comparable_are_refused(record: Record, report: Any, tmp_path: Path, field: str) -> None:
    record("a1")
    record("a2", mode="finetune", comparison={field: "another"})
    code, _, error = report()
    assert code == 2
    assert error.count("\n") == 1
    assert f"{field} differs" in error
    assert "another" in error
    assert PLAIN_FACTS["comparison"][field][:12] in error
    assert not (tmp_path / "reports").exists()
    code, out, _ = report("allow_mismatch=true")
    assert code == 0
    assert f"{field} differs" in out
    assert f"{field} differs" in summary(tmp_path).replace("\\", "")


@pytest.mark.parametrize(
    ("field", "one", "other", "said"),
    [
        (
            "primary",
            "answer/em",
            "answer/contains",
            "primary score differs: exact match (rag, run a1) and contains (finetune, run a2)",
        ),
        ("primary", None, "answer/contains", "primary score differs: exact match (rag, run a1) and contains"),
        ("style", "chat", "plain", "style of the prompt (chat template or plain text) differs: chat (rag"),
        ("n_exemplars", 0, 4, "number of solved questions in the prompt differs: 0 (rag"),
        ("exemplars", "a1", "b2", "choice of solved questions in the prompt differs: a1 (rag"),
    ],
)
def test_what_differs_is_said_in_words(record: Record, report: Any, field: str, one: object, other: object, said: str) -> None:
    record("a1", comparison={field: one} if one is not None else {})
    record("a2", mode="finetune", comparison={field: other})
    code, _, error = report()
    assert code == 2
    assert said in error


def test_other_questions_of_one_dataset_are_told_with_the_settings_that_chose_them(record: Record, report: Any) -> None:
    choices = {"retriever": "Dense", "split": "test", "dataset.path": "/data/dev.json"}
    record("a1", choices=choices | {"limit": 50})
    record("a2", mode="finetune", comparison={"questions": "another"}, choices=choices | {"limit": 100, "retriever": "None"})
    code, _, error = report()
    assert code == 2
    assert "questions differs (limit is 50 and 100): " in error


def test_runs_of_before_the_primary_score_was_recorded_were_judged_by_exact_match(record: Record, report: Any) -> None:
    record("a1")
    record("a2", mode="finetune", comparison={"primary": "answer/em"})
    assert report()[0] == 0


def test_the_control_with_solved_questions_stands_beside_arms_without_any(record: Record, report: Any) -> None:
    record("a1", comparison={"n_exemplars": 0})
    record("a2", mode="few_shot", comparison={"n_exemplars": None})
    assert report()[0] == 0


def test_the_prior_has_no_model_and_stands_beside_any(record: Record, report: Any) -> None:
    record("a1")
    record("a2", mode="prior", comparison={"base_model": None, "decoding": "none", "prompt": "none"})
    assert report()[0] == 0


def test_the_latest_run_of_an_arm_counts_and_each_seed_has_its_line(record: Record, report: Any, tmp_path: Path) -> None:
    record("b1", choices={"k": 3}, git={"commit": "old", "dirty": False})
    record("b2", choices={"k": 3})
    record("b3", choices={"k": 3}, seed=4)
    record("b4", choices={"k": 5})
    report()
    assert [(row["arm"], row["run_id"]) for row in rows(tmp_path)] == [
        ("rag seed=3 k=3", "b2"),
        ("rag seed=4 k=3", "b3"),
        ("rag seed=3 k=5", "b4"),
    ]


def test_unfinished_and_tampered_runs_are_left_out(record: Record, report: Any, tmp_path: Path) -> None:
    record("a1")
    record("a2", mode="finetune")
    RunDirectory.open(tmp_path / "outputs", "study", "a3").begin("", FACTS)
    (tmp_path / "outputs" / "study" / "a2" / "run.json").open("a").write(" ")
    report()
    assert [row["run_id"] for row in rows(tmp_path)] == ["a1"]


def test_the_summary_names_commit_hardware_data_and_model(record: Record, report: Any, tmp_path: Path) -> None:
    record("a1", git={"commit": "abc123", "dirty": True})
    report()
    text = summary(tmp_path)
    assert every(name in text for name in ("abc123 with changes", "a cpu, 2 cores", "world-ci", "d" * 64, "m" * 64))
    assert (tmp_path / "reports" / "figures" / "em.png").read_bytes().startswith(b"\x89PNG")


def test_the_summary_says_from_which_quantised_file_weights_were_dequantised(record: Record, report: Any, tmp_path: Path) -> None:
    origin = {"format": "GGUF", "sha256": "e" * 64, "formats": {"Q4_1": 210, "F32": 61}, "dequantised_to": "float32"}
    record("a1", base_weights=origin)
    report()
    said = f"GGUF Q4_1 (210 tensors), F32 (61 tensors), dequantised to float32, from the file with sha256 {'e' * 64}"
    assert f"{'m' * 64} ({said})" in summary(tmp_path).replace("\\", "")


def test_hostile_text_is_inert_everywhere(record: Record, report: Any, tmp_path: Path) -> None:
    hostile = "<script>x</script> | `c` ![i](http://e/?q) \x1b[31m $x_1$"
    record("a1", choices={"model": hostile}, comparison={"dataset_name": hostile})
    record("a2", choices={"model": "plain"}, comparison={"dataset_name": hostile})
    code, out, _ = report()
    text = summary(tmp_path)
    assert code == 0
    assert "\x1b" not in out + text
    assert "<script" not in text
    assert "![i]" not in text
    assert len({len(cells) for cells in markdown_cells(tmp_path)}) == 1  # no pipe made a cell


def test_escape_leaves_nothing_that_markdown_reads() -> None:
    assert escape("a|b`c`<d>&[e](f)\n# g") == r"a\|b\`c\`&lt;d&gt;&amp;\[e\](f) \# g"
    assert escape("see https://a.example/b, HTTP://c or www.d.example") == r"see https:\//a.example/b, HTTP:\//c or www\.d.example"
    assert inert("a\u202eb\x1b[0m\u200b") == "ab[0m"


@pytest.mark.parametrize("option", ["run=outputs", "runs", "allow_mismatch=yes"])
def test_an_unknown_option_is_named(report: Any, option: str) -> None:
    code, _, error = report(option)
    assert code == 2
    assert option.partition("=")[0] in error
