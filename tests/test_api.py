"""The Python door gives what the command line gives, says what is wrong as the command line does, and changes nothing around it."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import rich.console
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.version import getbase

from rag_eval.api import Comparison, Run, compare, evaluate, load_run
from rag_eval.conf_folder import conf_dir
from rag_eval.config.expected import expected
from rag_eval.errors import ConfigError, DataError, EnvironmentFault, RagEvalError, UserError
from rag_eval.report.__main__ import main as report
from rag_eval.score.primary import EM
from rag_eval.testing.finished_runs import write_run
from rag_eval.types import Estimate
from tests.commands import Ended

Command = Callable[..., Ended]
ECHO = ("mode=closed_book", "dataset.preset=ci", "generator=echo", "limit=5")
LENIENT = "answer/contains"


def right(scores: Sequence[float]) -> list[dict[str, Any]]:
    return [{EM: float(score), LENIENT: float(score)} for score in scores]


@pytest.fixture
def two(tmp_path: Path) -> tuple[Run, Run]:
    """A closed book that is right 5 times in 40, and retrieval that is right 30 times."""
    runs = [("aaaa", "closed_book", [1] * 5 + [0] * 35), ("bbbb", "rag", [0] * 10 + [1] * 30)]
    one, other = (load_run(write_run(tmp_path / "outputs", id, mode, right(scores)).folder) for id, mode, scores in runs)
    return one, other


ALONE = """
import json, logging, signal, sys
def around(): return [repr(logging.root.handlers), logging.root.level, repr(signal.getsignal(signal.SIGTERM))]
before = around()
import rag_eval, rag_eval.api
def loaded(*names): return sorted(set(names) & set(sys.modules))
imported = loaded("torch", "transformers", "mlflow", "faiss", "hydra", "omegaconf", "pandas", "scipy", "matplotlib", "datasets")
refused = []
for wrong in ("generator=tini", "limit=0", "retriever.kk=1"):
    try: rag_eval.api.evaluate("mode=rag", wrong)
    except rag_eval.api.ConfigError as error: refused.append(str(error))
print(json.dumps({"imported": imported, "refused": refused, "then": loaded("torch", "transformers", "mlflow", "faiss"),
    "same": around() == before}))
"""


def test_importing_loads_no_library_and_wrong_overrides_are_refused_before_torch(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["imported"] == []
    assert len(found["refused"]) == 3
    assert found["then"] == []
    assert found["same"]
    assert ended.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_a_call_gives_the_run_of_the_command_line_at_once(command: Command) -> None:
    arguments = ("mode=closed_book", "dataset.preset=ci", "limit=3")  # the embedded model
    ended = command(*arguments)
    before = {path.name: path.stat().st_mtime_ns for path in ended.directory.iterdir()}
    run = evaluate(*arguments, "tracking=none")
    assert (run.folder, run.run_id, run.is_cached) == (ended.directory, ended.directory.name, True)
    assert {path.name: path.stat().st_mtime_ns for path in run.folder.iterdir()} == before
    assert run.estimates[EM].mean == ended.mean(EM)
    assert list(run.questions) == list(run.predictions)
    assert len(run.questions) == 3


def test_the_command_line_gives_the_run_of_a_call_and_so_does_another_call(command: Command, tmp_path: Path) -> None:
    run = evaluate(*ECHO, "tracking=none")
    assert not run.is_cached
    assert run.folder == tmp_path / "outputs" / "default" / run.run_id
    ended = command(*ECHO)
    assert (ended.directory, "(recorded before)" in ended.out) == (run.folder, True)
    again = evaluate(*ECHO, "tracking=none")
    assert again.is_cached
    assert again.estimates == run.estimates
    assert evaluate(*ECHO, "tracking=none", "seed=1").run_id != run.run_id
    assert load_run(Path("outputs") / "default" / run.run_id).folder == run.folder


def test_files_are_looked_for_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = [{"id": f"d{at}", "text": f"Town {at} lies in province {at}."} for at in range(2)]
    questions = [
        {"id": f"q{at}", "question": f"Where is town {at}?", "answers": [f"province {at}"], "evidence": [f"d{at}"]} for at in range(2)
    ]
    for name, rows in (("documents.jsonl", documents), ("questions.jsonl", questions)):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    given = ("mode=oracle", "generator=echo", "dataset=jsonl", "dataset.documents=documents.jsonl", "dataset.questions=questions.jsonl")
    monkeypatch.chdir(tmp_path)
    assert evaluate(*given, "tracking=none", "output_dir=here").folder.parent == tmp_path / "here" / "default"
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    with pytest.raises(DataError, match=r"documents\.jsonl"):
        evaluate(*given, "tracking=none")


@pytest.mark.parametrize(
    "wrong",
    ["generator=tini", "nothing=1", "retriever.kk=1", "limit=0", "seed=one", "mode=rag,finetune", "mode=finetune", "api_key=shown", "mode"],
)
def test_what_is_wrong_is_said_as_on_the_command_line_and_nothing_is_printed(
    command: Command, capfd: pytest.CaptureFixture[str], wrong: str
) -> None:
    arguments = ("dataset.preset=ci", "retriever=bm25", wrong)
    ended = command(*arguments)
    with pytest.raises(ConfigError) as refused:
        evaluate(*arguments, "tracking=none")
    assert ended.code == refused.value.exit_code == 2
    assert ended.err == f"error: {refused.value}\n"
    assert "shown" not in ended.err
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("wrong", "said"), [("-m", "-m is for"), ("--help", "--help is for"), ("hydra.run.dir=x", "hydra.run.dir is for"), (3, "got int")]
)
def test_what_is_no_override_of_a_run_is_refused(wrong: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        evaluate("mode=rag", wrong)


def test_one_of_several_processes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="accelerate launch"):
        evaluate(*ECHO)


def test_only_what_is_expected_to_go_wrong_becomes_an_error_of_the_package() -> None:
    ours, inner = DataError("ours"), UserError("inside")
    around = ValueError("outside")
    around.__cause__ = inner
    assert expected(ours) is ours
    assert expected(around) is inner
    for theirs in (OSError("disk"), MemoryError()):
        assert isinstance(expected(theirs), EnvironmentFault)
    assert expected(ValueError("a bug")) is None


def test_a_program_keeps_the_hydra_that_it_has_initialised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with initialize_config_dir(str(conf_dir()), version_base="1.2"):
        held, base = GlobalHydra.instance().hydra, getbase()
        assert evaluate(*ECHO, "tracking=none").mode == "closed_book"
        with pytest.raises(RagEvalError):
            evaluate("nothing=1")
        assert GlobalHydra.instance().hydra is held is not None
        assert getbase() == base
        assert compose("config", overrides=["seed=7"]).seed == 7
    assert not GlobalHydra.instance().is_initialized()


def test_a_comparison_says_what_the_report_says(
    two: tuple[Run, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert report(["compare", "aaaa", "bbbb", "margin=0.1"]) == 0
    capsys.readouterr()
    written = json.loads((tmp_path / "reports" / "compare.json").read_text(encoding="utf-8"))
    made = compare(*two, margin=0.1)
    assert capsys.readouterr() == ("", "")
    assert list(made.verdicts) == written["verdicts"]
    assert list(made.notes) == written["notes"]
    section = next(one for one in written["sections"] if one["title"] == "The declared comparison")
    row = dict(zip(section["header"], section["rows"][0], strict=True))
    pair, *more = made.pairs
    assert more == []
    found = pair.differences[EM]
    assert found.estimate is not None
    assert vars(found.estimate).items() <= {**row["difference of answer/em"], "mean": row["difference of answer/em"]["value"]}.items()
    assert (found.estimate.mean, found.estimate.n, found.estimate.n_clusters) == (25 / 40, 40, 20)
    assert (found.mde, found.design_effect, pair.p) == tuple(row[name]["value"] for name in ("MDE", "design effect", "p (Holm)"))
    assert pair.verdict_text == row["second better by more than 0?"] == "SUPPORTED"
    assert str(row["same within 0.1?"]).startswith(pair.same_text)
    assert (pair.first, pair.second, pair.winner, pair.judged_on) == ("closed_book", "rag", "rag", EM)
    assert list(made.runs) == ["closed_book", "rag"]
    assert made.runs["rag"] is two[1]


def test_the_other_way_round_the_claim_is_refuted_and_the_winner_the_same(two: tuple[Run, Run]) -> None:
    (pair,) = compare(two[1], two[0].folder).pairs
    assert (pair.verdict, pair.winner) == ("REFUTED", "rag")


def test_three_runs_are_three_pairs_with_wider_intervals(two: tuple[Run, Run], tmp_path: Path) -> None:
    third = load_run(write_run(tmp_path / "outputs", "cccc", "oracle", right([1] * 39 + [0])).folder)
    made, alone = compare(*two, third), compare(*two)
    assert [(pair.first, pair.second) for pair in made.pairs] == [("closed_book", "rag"), ("closed_book", "oracle"), ("rag", "oracle")]
    wide, narrow = (one.pairs[0].differences[EM].estimate for one in (made, alone))
    assert wide is not None
    assert narrow is not None
    assert wide.low < narrow.low
    assert "hold for all 3 pairs" in repr(made)
    assert "hold for all" not in repr(alone)


@pytest.mark.parametrize("changes", [{"questions": "others"}, {"decoding": "sampled"}, {"dataset": "e" * 64}])
def test_runs_that_may_not_be_compared_are_refused_with_the_line_of_the_report(
    two: tuple[Run, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], changes: dict[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    other = load_run(write_run(tmp_path / "outputs", "cccc", "oracle", right([1] * 40), comparison=changes).folder)
    assert report(["compare", "aaaa", "cccc"]) == 2
    said = capsys.readouterr().err
    with pytest.raises(UserError) as refused:
        compare(two[0], other)
    assert said == f"error: {refused.value}\n"
    assert compare(two[0], other, allow_mismatch=True).notes[0].startswith("MISMATCH")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"measure": "answer/nothing"}, "measure=answer/nothing: not every run has it"),
        ({"margin": 0.0}, "margin: expected a number above 0, got 0"),
        ({"margin": math.nan}, "margin: expected a number above 0"),
        ({"threshold": -0.1}, "threshold: expected a number of at least 0"),
    ],
)
def test_a_claim_that_cannot_be_made_is_refused(two: tuple[Run, Run], given: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        compare(*two, **given)


def test_what_is_no_finished_run_is_refused(two: tuple[Run, Run], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no run"):
        load_run(tmp_path)
    with pytest.raises(UserError, match="one of them twice"):
        compare(two[0], two[0].folder)
    (two[0].folder / "scores.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="its files were changed"):
        compare(*two)


def test_frames_are_unrounded_and_keep_n_and_clusters(two: tuple[Run, Run]) -> None:
    run, made = two[1], compare(*two)
    of_run = run.to_pandas().loc[EM]
    assert of_run.to_dict() == vars(run.estimates[EM])
    assert (of_run["mean"], of_run["n"], of_run["n_clusters"]) == (0.75, 40, 20)
    first = made.to_pandas().iloc[0]
    found = made.pairs[0].differences[EM]
    assert found.estimate is not None
    assert (first["difference"], first["low"], first["high"]) == (found.estimate.mean, found.estimate.low, found.estimate.high)
    assert (first["n"], first["n_clusters"], first["mde"], first["p"]) == (40, 20, found.mde, made.pairs[0].p)
    assert list(made.to_pandas()["measure"]) == [EM, LENIENT]
    assert list(made.to_pandas()["is_judged_on"]) == [True, False]
    questions = run.questions_to_pandas()
    assert list(questions[EM]) == [0.0] * 10 + [1.0] * 30
    assert (questions.index[0], questions["cluster"].iloc[3], questions["text"].iloc[0]) == ("q0", "c1", "x")


def test_what_was_not_measured_is_nowhere_a_number(tmp_path: Path) -> None:
    unknown = Estimate(math.nan, math.nan, math.nan, 0, 0)
    rows = right([1, 0] * 19) + [{EM: math.nan, LENIENT: 1.0}] * 2
    one = load_run(write_run(tmp_path / "outputs", "aaaa", "rag", rows, extra={"answer/f1": unknown}).folder)
    frame = one.to_pandas()
    assert frame.loc["answer/f1", ["mean", "low", "high"]].isna().all()
    assert frame.loc[EM, "n"] == 38
    assert one.questions_to_pandas()[EM].isna().sum() == 2
    assert "not measured" in next(line for line in repr(one).splitlines() if "F1" in line)
    others = [{**row, "example_id": f"other{at}"} for at, row in enumerate(right([1] * 40))]
    other = load_run(write_run(tmp_path / "outputs", "bbbb", "oracle", others).folder)
    made = compare(one, other)  # no question in common
    assert made.pairs[0].differences[EM].estimate is None
    assert (made.pairs[0].verdict, made.pairs[0].winner) == ("NOT MEASURED", None)
    assert made.to_pandas()[["difference", "low", "high", "n", "n_clusters", "mde", "design_effect", "winner", "p"]].isna().all(axis=None)
    assert "not measured" in repr(made)
    assert "<td>not measured</td>" in made._repr_html_()


class Elements(HTMLParser):
    """The elements and attributes of a fragment, and its text."""

    def __init__(self, fragment: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.text = ""
        self.feed(fragment)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


MARKUP = '<b onclick="x">bold</b> & $x^2 \\frac$'


@pytest.fixture
def marked(tmp_path: Path) -> tuple[Run, Comparison]:
    """A run whose mode, dataset and measure hold markup, and its comparison with another."""
    names: dict[str, Any] = {"comparison": {"dataset_name": f"set {MARKUP}"}}
    one = write_run(
        tmp_path / "outputs", "aaaa", f"mode {MARKUP}", [{**row, f"answer/{MARKUP}": 1.0} for row in right([1, 0] * 20)], **names
    )
    other = write_run(tmp_path / "outputs", "bbbb", "other", right([1] * 40), **names)
    return load_run(one.folder), compare(one.folder, other.folder)


def test_every_text_of_a_notebook_is_inert(marked: tuple[Run, Comparison]) -> None:
    run, made = marked
    for shown, texts in ((run, [run.mode, run.dataset, run.labels[f"answer/{MARKUP}"]]), (made, [run.mode])):
        found = Elements(shown._repr_html_())
        assert found.names <= {"div", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "img"}
        assert {"table", "img"} <= found.names
        assert found.attributes == {"alt", "src"}
        assert found.open == []
        assert [text for text in texts if text not in found.text] == []


def test_plain_text_fits_80_columns_and_keeps_every_number(marked: tuple[Run, Comparison], two: tuple[Run, Run]) -> None:
    texts = [repr(one) for one in (*marked, *two, compare(*two))]
    assert [line for text in texts for line in text.splitlines() if len(line) > 80] == []
    assert str(two[1]) == repr(two[1])
    assert f"rag on made, run {two[1].run_id} of study" in texts[3]
    assert "0.750 [" in texts[3]
    assert {"0.625", "SUPPORTED", "closed_book"} <= set(texts[4].replace("│", " ").split())


def test_in_a_notebook_plain_text_is_returned_and_not_displayed(
    two: tuple[Run, Run], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    assert "exact match" in repr(two[0])
    assert capfd.readouterr() == ("", "")
