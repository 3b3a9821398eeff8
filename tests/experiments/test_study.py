"""The pattern of every study: typed options, runs that are taken from disk, reports that say where they come from, exit codes."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from experiments.options import Embedder, Seeds, of_group, options_of, whole
from experiments.study import Found, NotMade, Report, Run, Study, form_notes, made, possible, provenance
from rag_eval.errors import ConfigError, EnvironmentFault, UserError
from rag_eval.report.table import Figure, Table
from rag_eval.testing.finished_runs import write_run
from tests.report.test_metric_dependent import scored

ROOT = Path(__file__).parents[2]
Make = Callable[[Found[str, float]], float]


@dataclass(frozen=True)
class Options:
    """One option of each kind."""

    preset: Literal["ci", "laptop"] = "ci"
    seeds: Seeds = (0, 1)
    embedder: Embedder = "hashed"
    retrievers: Annotated[tuple[str, ...], of_group("retriever")] = ("bm25",)
    facts: Annotated[int, whole(2)] = 20
    rate: float = 0.5
    name: str = ""
    out: Path = Path("reports")


def study(**makes: Make) -> Study[Options, str, float]:
    """A study with these runs, whose table has their results."""

    def runs(_: Options) -> list[Run[str, float]]:
        return [Run(name, make) for name, make in makes.items()]

    def report(_: Options, found: Found[str, float]) -> Report:
        rows = tuple((name, Figure(0.5, 0.4, 0.6, n=9)) for name in found)
        return Report([Table("Results", "", ("run", "mean"), rows)])

    return Study("small", "Small", "experiments.small", Options, runs, report)


def test_what_a_study_will_take_is_told_before_its_first_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told: list[str] = []

    def one(_: Found[str, float]) -> float:
        told.append(capsys.readouterr().err)
        return 0.5

    assert replace(study(one=one), before=lambda options: f"{options.facts} runs").main([f"out={tmp_path}"]) == 0
    assert "20 runs" in told[0]


def raising(error: BaseException) -> Make:
    def make(_: Found[str, float]) -> float:
        raise error

    return make


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study[Options, tuple[str, int], object]:
    """The smallest study, as CONTRIBUTING.md has it, run in an empty folder."""
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "smallest_study.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    study: Study[Options, tuple[str, int], object] = importlib.import_module("smallest_study").STUDY
    return study


def test_the_smallest_study_of_the_documentation_runs_and_a_second_call_takes_its_runs_from_disk(
    example: Study[Options, tuple[str, int], object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert example.main(["generator=scripted", "seeds=0"]) == 0
    first = (tmp_path / "reports" / "passages.md").read_text(encoding="utf-8")
    out = capsys.readouterr().out
    (section,) = json.loads((tmp_path / "reports" / "passages.json").read_text(encoding="utf-8"))["sections"]
    by_arm = {row[0]: row[2] for row in section["rows"]}
    assert (by_arm["closed_book"]["value"], by_arm["oracle"]["value"]) == (0.0, 1.0)
    assert by_arm["oracle"]["n"] > 100
    assert "1.000 [0." in out
    assert [line.split(":")[0] for line in first.splitlines() if line.startswith("- ")] == [
        *("- command", "- commit", "- versions", "- hardware", "- run", "- model"),
    ]
    runs = sorted(tmp_path.glob("outputs/passages/*/run.json"))
    assert len(runs) == 2
    assert example.main(["generator=scripted", "seeds=0"]) == 0
    assert (tmp_path / "reports" / "passages.md").read_text(encoding="utf-8") == first


def test_options_are_read_by_their_types() -> None:
    given = ["preset=laptop", "seeds=7,3", "embedder=minilm", "retrievers=bm25,dense", "facts=2", "rate=1e-3", "name=a=b", "out=x"]
    assert options_of(given, Options) == Options("laptop", (7, 3), "minilm", ("bm25", "dense"), 2, 0.001, "a=b", Path("x"))
    assert options_of([], Options) == Options()


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("preset=large", "preset=large does not exist; choices: ci, laptop."),
        ("seeds=1,1", "seeds: expected different whole numbers with commas between, as in 0,1,2, got '1,1'."),
        ("seeds=1000000", "seeds: expected numbers below 1,000,000, got 1000000"),
        ("embedder=none", "embedder=none does not exist; choices: hashed, hf,"),
        ("retrievers=bm25,sparce", "retrievers=sparce does not exist; choices: all, bm25,"),
        ("facts=1", "facts: expected a whole number of at least 2, got '1'."),
        ("facts=many", "facts: expected a whole number of at least 2, got 'many'."),
        ("rate=fast", "rate: expected a number, got 'fast'."),
        ("colour=red", "expected preset=VALUE, seeds=VALUE,"),
        ("fast", "expected preset=VALUE, seeds=VALUE,"),
    ],
)
def test_what_an_option_cannot_be_is_refused_in_one_line(argument: str, said: str) -> None:
    with pytest.raises(UserError) as refused:
        options_of([argument], Options)
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("argument", ["api_key=abc", "name=generator.api_key=abc"])
def test_a_secret_is_refused_for_reports_repeat_the_command(argument: str) -> None:
    with pytest.raises(ConfigError, match="api_key looks like a secret"):
        options_of([argument], Options)


def test_a_run_that_fails_leaves_the_others_and_what_takes_it_fails_too() -> None:
    found = made(
        [
            Run("first", lambda _: 1.0),
            Run("broken", raising(EnvironmentFault("no disk"))),
            Run("double", lambda before: 2 * before["first"]),
            Run("on top", lambda before: before["broken"]),
        ]
    )
    assert found == {"first": 1.0, "double": 2.0}
    assert found.failed["broken"] == "no disk"
    assert "broken is needed and failed (no disk)" in found.failed["on top"]
    with pytest.raises(NotMade, match="the same command makes what is missing"):
        _ = found["broken"]
    with pytest.raises(KeyError):
        _ = found["never asked for"]
    section = Table("t", "", ("a",), ())
    assert possible(lambda: section, lambda: Table("t", str(found["broken"]), ("a",), ())) == [section]


def test_where_nothing_succeeds_the_first_fault_ends_the_study() -> None:
    with pytest.raises(UserError, match="wrong"):
        made([Run("first", raising(UserError("wrong"))), Run("second", lambda _: 1.0)])


@pytest.mark.parametrize(
    ("makes", "code", "said"),
    [
        ({"one": lambda _: 0.5}, 0, ""),
        ({"one": raising(UserError("expected that"))}, 2, "error: expected that"),
        ({"one": lambda _: 0.5, "two": raising(EnvironmentFault("no disk"))}, 3, "error: two: no disk"),
        ({"one": raising(EnvironmentFault("no disk"))}, 4, "error: no disk"),
        ({"one": lambda _: 0.5, "two": raising(KeyboardInterrupt())}, 130, "error: interrupted; the same command goes on"),
        ({"one": lambda _: 0.5, "two": lambda _: os.kill(os.getpid(), signal.SIGTERM) or 0.0}, 143, "error: terminated; the same"),
        ({"one": raising(ZeroDivisionError("division by zero"))}, 1, "error: ZeroDivisionError: division by zero. This is a bug"),
    ],
)
def test_a_study_ends_with_the_code_of_how_it_went(
    makes: dict[str, Make], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert study(**makes).main([f"out={tmp_path}"]) == code
    assert said in capsys.readouterr().err
    assert (tmp_path / "small.md").exists() == (code in (0, 3))


def test_what_succeeded_is_reported_beside_what_failed(tmp_path: Path) -> None:
    assert study(one=lambda _: 0.5, two=raising(EnvironmentFault("no disk"))).main([f"out={tmp_path}"]) == 3
    plain = json.loads((tmp_path / "small.json").read_text(encoding="utf-8"))
    assert [row[0] for row in plain["sections"][0]["rows"]] == ["one"]
    assert plain["notes"][-1] == "failed: two: no disk"
    assert plain["notes"][-2].startswith("load average before: ")
    assert f"command: python -m experiments.small out={tmp_path}" in plain["notes"]


def test_a_table_that_is_too_wide_is_printed_in_parts_of_80_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    means = tuple(Figure(0.5, 0.25, 0.75) for _ in range(12))
    wide = Table("Wide", "", ("run", *(f"mean {at}" for at in range(12))), (("one", *means),))
    small = study(one=lambda _: 0.5)
    assert replace(small, report=lambda *_: Report([wide])).main([f"out={tmp_path}"]) == 0
    printed = capsys.readouterr().out.partition("note:")[0]
    assert printed.count("one") > 1
    assert 60 < max(map(len, printed.splitlines())) <= 80


def test_questions_that_could_not_be_asked_are_counted_and_end_with_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts = {"n_questions": 3, "n_error": 2}
    run: Any = write_run(tmp_path, "r", "rag", [{}], counts=counts)
    assert study(one=lambda _: run).main([f"out={tmp_path}"]) == 3
    assert "failed: 2 questions could not be asked" in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_the_machines_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert study(one=lambda _: 0.5).main([f"out={tmp_path / 'file'}"]) == 4
    assert "cannot be written" in capsys.readouterr().err


def test_how_long_a_run_takes_and_what_is_left_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("rag_eval.progress.REPORT_S", 0.0)
    made([Run("one", lambda _: 1.0), Run("two", lambda _: 1.0)])
    first, _ = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"runs: 1/2, [\d.]+ s each, [\d.]+ s left", first)


def test_a_report_names_every_commit_machine_and_model_of_its_runs(tmp_path: Path) -> None:
    machines = [{"device": "cpu", "cpu": name, "n_cores": 2} for name in ("one", "other")]
    records = [write_run(tmp_path, f"r{at}", "rag", [{}], hardware=machine).record for at, machine in enumerate(machines)]
    lines = dict(line.split(": ", 1) for line in provenance(records, "a command"))
    assert lines["command"] == "a command"
    assert lines["commit"] == "c" * 40
    assert lines["versions"] == "python 3.11.2, torch 2.11.0"
    assert lines["hardware"] == "cpu, one, 2 cores; cpu, other, 2 cores"
    assert lines["model"] == "m" * 64
    assert lines["run"].endswith("2 runs")


def test_a_study_says_of_which_arms_exact_match_measures_form(tmp_path: Path) -> None:
    records = {
        mode: [write_run(tmp_path, f"{mode}{seed}", mode, scored(200, *shares)).record for seed in range(2)]
        for mode, shares in {"rag": (0.0, 0.8), "finetune": (0.9, 0.9)}.items()
    }
    (note,) = form_notes(records)
    assert note.startswith("exact match measures the form of the answers of rag, not what they say: exact match is 0.000 where")


def test_every_command_of_a_study_that_is_written_down_is_there() -> None:
    files = [path for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md") for path in ROOT.glob(name)]
    files += [path for folder in ("docs", "conf", "reports", "experiments", "rag_eval") for path in (ROOT / folder).rglob("*.*")]
    texts = [path.read_text(encoding="utf-8") for path in files if path.suffix in {".md", ".yaml", ".py", ".json"}]
    assert len(texts) > 450
    commands = {name for text in texts for name in re.findall(r"python -m (experiments(?:\.\w+)+)", text.replace("\\_", "_"))}
    commands -= {"experiments.passages"}  # of the smallest study
    assert len(commands) >= 15
    assert [name for name in sorted(commands) if find_spec(name) is None] == []
