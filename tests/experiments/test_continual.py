"""Following a changing world: what a perfect reader does is known, and what cannot be done is declared."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from experiments.effects.continual import (
    POLICIES,
    Answered,
    Options,
    answered_by,
    backward_transfer,
    deleted_values,
    forgotten,
    leakage,
    main,
    policies_section,
    pooled,
    renamed,
    score,
    under_trained,
)
from experiments.study import Found
from rag_eval.record.load import RecordedRun
from rag_eval.report.table import NOT_MEASURED, Figure
from rag_eval.score.primary import EM, train_phrasing
from rag_eval.testing.finished_runs import facts
from rag_eval.types import Estimate
from synthworld.dataset import past_of
from tests.claims import every
from tests.worlds import world

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


def run_of(rows: dict[str, dict[str, Any]]) -> RecordedRun:
    record: Any = None  # not read
    said: Any = SimpleNamespace(text="")
    return RecordedRun(Path(), record, rows, dict.fromkeys(rows, said))


def test_what_is_asked_under_a_new_name_is_neither_unchanged_nor_beside_a_change() -> None:
    rows: dict[str, dict[str, Any]] = {
        name: {"answer/em": em, "change": change, "cluster": cluster}
        for name, em, change, cluster in (
            ("old", 1.0, "retained", "e1"),
            ("beside", 0.0, "locality", "e2"),
            ("named anew", 1.0, "locality", "e3"),
            ("changed", 1.0, "canary", "e3"),
        )
    }
    one = pooled([(0, run_of(rows)), (1, run_of(rows))], {0: {"e3"}, 1: {"e1"}})
    assert set(one.scores("answer/em", ["locality", "retained"])) == {"0/old", "0/beside", "1/beside", "1/named anew"}
    assert set(one.scores("answer/em", ["canary"])) == {"0/changed", "1/changed"}
    assert one.clusters["1/changed"] == "1/e3"


def test_a_policy_that_failed_in_one_world_is_not_measured_and_says_why() -> None:
    options = Options(seeds=(0, 1), generator="scripted", embedder="hashed")
    found: Found[tuple[str, int], RecordedRun] = Found()
    for seed in options.seeds:
        found["rag, old index", seed] = run_of({"q": {"answer/em": 1.0, "change": "retained", "cluster": "e1"}})
    found["rag, indexed anew", 0] = found["rag, old index", 0]
    found.failed["rag, indexed anew", 1] = "no disk"
    policies = answered_by(options, found)
    assert policies["rag, indexed anew"] == "world 1 failed: no disk"
    assert score(policies["rag, old index"], ["retained"]).n == 2  # type: ignore[arg-type, union-attr]


def test_a_new_name_is_taught_although_nothing_else_changed() -> None:
    """So a model that learned it would seem to know more of what did not change than before."""
    taught = {example.question for example in world("ci", 0).train}
    anew = {example.cluster for example in world("ci", 0, version=1).train if example.question not in taught}
    found = renamed("ci", 0)
    assert found == {
        entity.id for entity, old in zip(past_of("ci", 0).at(1), past_of("ci", 0).at(0), strict=True) if entity.name != old.name
    }
    assert found
    assert found <= anew


def test_a_policy_with_an_adapter_that_did_not_learn_its_questions_is_named() -> None:
    def of(*learned: float) -> Answered:
        recorded = facts("finetune", 200, weights="trained")
        records = [SimpleNamespace(facts=recorded, estimates={train_phrasing(EM): Estimate(mean, 0.0, 1.0, 200, 30)}) for mean in learned]
        runs: Any = tuple(SimpleNamespace(record=record) for record in records)
        return Answered({}, {}, {}, runs)

    assert under_trained({"good": of(1.0, 0.96), "bad": of(1.0, 0.5), "none": "because"}) == ["bad"]


def test_what_adapters_forgot_is_the_mean_over_them_with_an_interval_that_is_not_too_narrow() -> None:
    one, two = Estimate(-0.2, -0.3, -0.1, 100, 100), Estimate(0.0, -0.2, 0.2, 100, 100)
    assert forgotten([one, two]) == Figure(pytest.approx(-0.1), pytest.approx(-0.25), pytest.approx(0.05), 100, 100)
    assert forgotten([one, None]) == forgotten([]) == Figure(None)


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
    assert every(values.values())
    section = policies_section({policy.name: "because" for policy in POLICIES}, values)
    assert every(set(row[1:]) == {NOT_MEASURED} for row in section.rows)


def test_an_option_that_is_unknown_ends_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["seeds=one"]) == 2
    assert main(["worlds=1"]) == 2
    assert "seeds" in capsys.readouterr().err
