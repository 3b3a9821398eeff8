"""Following a changing world: what a perfect reader does is known, and what cannot be done is declared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.continual import POLICIES, Answered, backward_transfer, deleted_values, leakage, main, policies_section, score
from rag_eval.report.sections import NOT_MEASURED

SCRIPTED = ("preset=ci", "seeds=0", "generator=scripted", "embedder=hashed")


def answered(em: dict[str, float], change: str = "retained", texts: dict[str, str] | None = None) -> Answered:
    rows = {name: {"answer/em": value, "change": change} for name, value in em.items()}
    return Answered(rows, texts or {}, {name: name for name in (*em, *(texts or {}))}, ())


def test_a_perfect_reader_follows_with_its_index_and_training_is_declared_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(SCRIPTED) == 0
    plain = json.loads((tmp_path / "reports" / "continual.json").read_text(encoding="utf-8"))
    rows = {row[0]: row[1:] for row in plain["sections"][0]["rows"]}
    assert list(rows) == [policy.name for policy in POLICIES]
    stale, fresh = rows["rag, old index"], rows["rag, indexed anew"]
    assert (stale[1]["value"], fresh[2]["value"], fresh[6]["value"]) == (0.0, 0.0, 0.0)  # nothing new, nothing old, nothing deleted
    assert fresh[1]["value"] > 0.9
    assert stale[2]["value"] > 0.9
    assert stale[6]["value"] == 1.0
    assert stale[0] == "-"
    assert fresh[0]["value"] > 0
    for policy in POLICIES:
        if policy.trains:
            assert set(rows[policy.name]) == {NOT_MEASURED}
            assert any(policy.name in note and "no weights to train" in note for note in plain["notes"])
    assert "indexed anew" in (tmp_path / "reports" / "continual.md").read_text(encoding="utf-8")
    assert "written:" in capsys.readouterr().out


def test_backward_transfer_is_after_minus_before_over_what_did_not_change() -> None:
    before = answered({"0/a": 1.0, "0/b": 1.0, "0/c": 0.0, "0/d": 1.0})
    after = answered({"0/a": 1.0, "0/b": 0.0, "0/c": 0.0})
    found = backward_transfer(before, after)
    assert found is not None
    assert (found.mean, found.n) == (pytest.approx(-1 / 3), 3)
    assert backward_transfer(answered({"0/a": 1.0}, "canary"), answered({"0/a": 0.0}, "canary")) is None


def test_a_deleted_value_leaks_where_it_is_said() -> None:
    found = leakage(
        answered({}, texts={"0/x": "The Liver.", "0/y": "unknown", "0/other": "liver"}), {"0/x": "liver", "0/y": "lung", "0/z": "arm"}
    )
    assert found is not None
    assert (found.mean, found.n) == (0.5, 2)


def test_scores_are_of_the_questions_about_what_changed_so() -> None:
    one = answered({"0/a": 1.0, "0/b": 0.0}, "canary")
    assert score(one, ["canary"]).mean == 0.5  # type: ignore[union-attr]
    assert score(one, ["retained"]) is None


def test_every_deleted_fact_has_its_value_and_nothing_measured_is_said_so() -> None:
    values = deleted_values("laptop", (0, 1))
    assert len(values) >= 2
    assert {name.partition("/test-deleted-fact-")[0] for name in values} <= {"0", "1"}
    assert all(values.values())
    section = policies_section({policy.name: "because" for policy in POLICIES}, values)
    assert all(set(row[1:]) == {NOT_MEASURED} for row in section.rows)


def test_an_option_that_is_unknown_ends_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["seeds=one"]) == 2
    assert main(["worlds=1"]) == 2
    assert "seeds" in capsys.readouterr().err
