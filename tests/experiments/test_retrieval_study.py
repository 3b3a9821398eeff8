"""The study of retrieval on real data: it refuses what it does not know, and its table says what its runs say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.retrieval import MARGIN, Cellwise, main
from rag_eval.types import Estimate


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sets=Trivia"], "sets=Trivia does not exist; choices: GARD, HotpotQA,"),
        (["retrievers=bm25,sparce"], "retrievers=sparce does not exist; choices: all, bm25,"),
        (["preset=large"], "preset=large does not exist; choices: ci, laptop"),
        (["fast"], "expected preset=VALUE"),
    ],
)
def test_what_it_does_not_know_is_refused(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_without_the_data_it_says_which_variable_names_them(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("RAG_EVAL_DATA", raising=False)
    assert main([]) == 2
    assert "RAG_EVAL_DATA, found ''; docs/retrieval.md" in capsys.readouterr().err


@pytest.mark.parametrize(("gap", "said"), [(0.0, "as known"), (MARGIN - 0.001, "as known"), (MARGIN + 0.01, "off by 0.040")])
def test_bm25_is_as_known_within_the_margin_only(gap: float, said: str) -> None:
    found = {name: Estimate(0.8 - gap, 0.0, 1.0, 100, 10) for name in ("retrieval/hit_1", "retrieval/mrr_10")}
    known = {"retrieval/hit_1": 0.8, "retrieval/mrr_10": 0.8}
    assert Cellwise("set", "", "bm25", found, known).verdict == said
    assert Cellwise("set", "", "dense", found, known).verdict == "-"


@pytest.mark.real
def test_the_table_holds_what_the_runs_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["preset=ci", "sets=XQuAD,fictional_knowledge", "retrievers=bm25"]) == 0
    runs = {record["facts"]["comparison"]["dataset_name"]: record for record in map(_json, tmp_path.glob("outputs/retrieval/*/run.json"))}
    (table, costs) = _json(tmp_path / "reports" / "retrieval.json")["sections"]
    rows = {row[0]: row for row in table["rows"]}
    assert list(rows) == ["XQuAD", *(f"fictional_knowledge, {kind}" for kind in ("mem", "gen", "hard_gen"))]
    (xquad,) = (record for name, record in runs.items() if "xquad" in name)
    assert rows["XQuAD"][3]["value"] == xquad["estimates"]["retrieval/hit_1"]["mean"]
    assert rows["XQuAD"][2] == 100
    assert sum(row[2] for name, row in rows.items() if name != "XQuAD") == 100
    assert [row[2] for row in costs["rows"]] == [240, 130]
    assert (tmp_path / "reports" / "retrieval.png").stat().st_size > 10_000
    assert "as known" in capsys.readouterr().out


def _json(path: Path) -> dict[str, object]:
    return dict(json.loads(path.read_text(encoding="utf-8")))
