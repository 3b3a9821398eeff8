"""The declared effects: what is known beforehand of a perfect reader is what is found, and the verdicts follow."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.effects.arms import ARMS, ArmRun, Plan, pools, runs_of
from experiments.effects.claims import EFFECTS, Effect
from experiments.effects.measures import MISLED, groups_gained, groups_missed, hops_together, slope
from experiments.effects.report import judge, main, read_kinds
from experiments.effects.trained_arms import trained_effects
from experiments.study import Found, made
from experiments.tiny_model import admission
from rag_eval.record.load import RecordedRun
from rag_eval.report.claims.pool import Pool
from rag_eval.report.claims.values import mean
from rag_eval.score.primary import EM
from rag_eval.stats.verdict import Claim
from rag_eval.testing.finished_runs import write_run
from tests.claims import every
from tests.experiments.pools_of_effects import pool

SCRIPTED = ("preset=ci", "seeds=0", "generator=scripted", "embedder=hashed")
SUPPORTED = {
    *("E1", "E11 fresh", "E11 old value", "E11 kept", "E13 room", "E17 flips", "E17 misled"),
    *("misprints", "siblings", "outdated"),
}
TOO_FEW = "E20 product"  # one world has 13 two-hop questions
EXACT = {  # of a perfect reader, whatever the search finds
    **{"E2": 1.0, "E9": 0.0, "E11 useless": 0.0, "E13 ceiling": 0.0, "E13 room": 1.0, "E17 closed book": 0.0},
    **{"E19": 0.0, "E20 both": 0.0, "pronouns": 0.0, "styles": 0.0},
}


def test_a_scripted_reader_shows_what_is_known_beforehand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(SCRIPTED) == 0
    found = json.loads((tmp_path / "reports" / "effects.json").read_text(encoding="utf-8"))
    effects, kinds, hops, raft, arms = ({row[0]: row for row in section["rows"]} for section in found["sections"])
    assert {name: effects[name][5]["value"] for name in EXACT} == EXACT
    # One world has 32 entities: too few for what nothing varies in.
    expected = {one.claim.name: "SUPPORTED" if one.claim.name in SUPPORTED else "INCONCLUSIVE(MDE=unknown)" for one in EFFECTS}
    trained = {one.claim.name for one in trained_effects("ci")}
    assert found["verdicts"] == {**expected, TOO_FEW: "NOT MEASURED"} | dict.fromkeys(trained, "NOT MEASURED")
    assert raft == {}
    assert every(row[1]["value"] == 1.0 for row in kinds.values())
    hit = {name: row[2]["value"] for name, row in arms.items()}
    for name in ("rag", "rag, changed", "rag, two hops", "rag, sibling pages", "oracle, groups, k=1", "oracle, groups, k=5"):
        assert arms[name][1]["value"] == hit[name]
    assert effects["E11 fresh"][5]["value"] == hit["rag, changed"]
    assert effects["siblings"][5]["value"] == pytest.approx(hit["rag, sibling pages"] - hit["rag"])
    assert hit["rag, two hops"] == hops["both"][1]["value"]
    text = (tmp_path / "reports" / "effects.md").read_text(encoding="utf-8")
    assert every(one.claim.name in text and one.source in text for one in EFFECTS)
    assert "command: python -m experiments.effects preset=ci" in text
    assert "model: scripted WorldLanguage" in text
    assert "SUPPORTED" in capsys.readouterr().out


def test_a_second_call_takes_finished_runs_from_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    arms = {name: ARMS[name] for name in ("closed_book", "oracle")}
    runs = runs_of(Plan("ci", (0, 1), "scripted", "hashed", tmp_path), arms)
    first, second = pools(made(runs)), pools(made(runs))
    assert len(runs) == 4
    assert {name: one.records for name, one in first.items()} == {name: one.records for name, one in second.items()}
    assert len(list((tmp_path / "effects").iterdir())) == 4
    assert {cluster[:2] for cluster in first["oracle"].clusters.values()} == {"0/", "1/"}


@pytest.mark.parametrize(("n", "verdict"), [(32, "INCONCLUSIVE(MDE=unknown)"), (96, "SUPPORTED")])
def test_an_oracle_without_a_fault_is_over_95_percent_only_among_enough_entities(n: int, verdict: str) -> None:
    effect = next(one for one in EFFECTS if one.claim.name == "E2")
    assert judge(effect, {"oracle": pool({EM: [1.0] * n})}, ["forward"], [0]).text == verdict


def test_what_takes_a_kind_that_is_not_read_is_not_shown_though_its_number_would_support_it() -> None:
    effect = Effect(Claim("x", "no list is right", 0.5, "below"), "", "", mean("oracle"), needs=("list", "count"))
    found = {"oracle": pool({EM: [0.0] * 40})}
    assert judge(effect, found, [], [0]).text == "SUPPORTED"
    judged = judge(effect, found, ["list", "forward"], [0, 1])
    assert judged.text == "NOT SHOWN: does not read list"
    assert judged.estimate is not None
    assert judged.worlds == (0.0, None)


def test_what_nobody_was_asked_is_not_measured() -> None:
    effect = replace(EFFECTS[1], needs=())
    assert judge(effect, {"oracle": pool({EM: [math.nan, math.nan]})}, [], [0]).text == "NOT MEASURED"


def test_an_arm_of_which_a_run_failed_is_missing_and_what_takes_it_is_not_measured(tmp_path: Path) -> None:
    found: Found[ArmRun, RecordedRun] = Found()
    found[ArmRun("rag", 0, 0)] = found[ArmRun("oracle", 0, 0)] = write_run(tmp_path, "r", "rag", [{EM: 1.0}])
    found.failed[ArmRun("rag", 1, 0)] = "no disk"
    arms = pools(found)
    assert list(arms) == ["oracle"]
    arms["rag, false pages"] = pool({EM: [1.0] * 40, MISLED: [1.0] * 40})
    effects = {one.claim.name: one for one in EFFECTS}
    assert judge(effects["E17 flips"], arms, [], [0, 1]).text == "NOT MEASURED"
    assert judge(effects["E17 misled"], arms, [], [0]).text == "SUPPORTED"


def test_the_slope_is_the_least_squares_line_of_each_question() -> None:
    found = {"0": pool({EM: [1.0, 1.0, 0.0]}), "2": pool({EM: [1.0, 1.0, 0.0]}), "4": pool({EM: [1.0, 0.0, 1.0]})}
    assert slope({0: "0", 2: "2", 4: "4"})(found).values == (0.0, -0.25, 0.25)


def test_groups_are_the_questions_that_five_documents_hold_and_one_does_not() -> None:
    held = "prompt/holds_evidence"
    found = {
        "oracle, groups, k=1": pool({held: [1.0, 0.0, 0.0, 0.0], EM: [1.0, 0.0, 1.0, 0.0]}),
        "oracle, groups, k=5": pool({held: [1.0, 1.0, 1.0, 0.0], EM: [1.0, 1.0, 1.0, 0.0]}),
    }
    assert groups_missed(found).values == (0.0, 1.0)
    assert groups_gained(found).values == (1.0, 0.0)


def test_the_terms_of_two_hops_have_the_mean_of_both_less_the_product() -> None:
    values = hops_together(two_hops([("b", "a", "x"), ("a",), ("b", "y"), ("a", "b")] * 10)).values
    assert sum(values) / 40 == pytest.approx(2 / 4 - 3 / 4 * 3 / 4)


def two_hops(found: Sequence[Sequence[str]]) -> Mapping[str, Pool]:
    """Questions that take the documents a and b, with what a search found."""
    n = len(found)
    return {
        "oracle, two hops": pool({EM: [1.0] * n}, [("a", "b")] * n),
        "rag, two hops": pool({EM: [0.0] * n}, found),
    }


@pytest.mark.parametrize(
    "found",
    [
        [("a", "b"), ("a",)] * 20,  # the first always: both are found as often as the second by itself, whatever the search does
        [("a",), ("x",)] * 20,  # the second never
        [("b", "a"), ("a",), ("b",), ("x",)] * 7,  # 28 questions
    ],
)
def test_two_hops_say_nothing_where_a_document_is_found_always_or_never_or_few_are_asked(found: Sequence[Sequence[str]]) -> None:
    effect = next(one for one in EFFECTS if one.claim.name == "E20 product")
    assert judge(effect, two_hops(found), [], [0]).text == "NOT MEASURED"


def test_counts_of_one_do_not_show_that_counts_are_read() -> None:
    asked = pool({EM: [1.0, 1.0, 0.0, 1.0], "prompt/holds_evidence": [1.0] * 4}, [("a",), ("a",), ("a", "b"), ("a",)])
    kinds = ("count", "count", "count", "forward")
    rows = {name: {**row, "kind": kind} for (name, row), kind in zip(asked.rows.items(), kinds, strict=True)}
    read = read_kinds({"oracle, all kinds": replace(asked, rows=rows)})
    assert [(one.mean, one.n) for one in (read["count"], read["forward"]) if one] == [(0.0, 1), (1.0, 1)]


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        *((f"seeds={text}", "seeds: expected different whole numbers") for text in ("0,0", "0,00", "x", "1" * 5000)),
        ("seeds=0,1000000", "seeds: expected numbers below 1,000,000, got 1000000"),
        *((argument, "expected preset=VALUE") for argument in ("model=tiny", "tiny")),
        *((f"{name}=nope", f"{name}=nope does not exist; choices: ") for name in ("preset", "generator", "embedder")),
    ],
)
def test_a_wrong_argument_is_refused_in_one_line(argument: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([argument]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {said}")


@pytest.mark.parametrize("argument", ["foo", "colour=red", "n=abc", "n=1", "model=/nonexistent"])
def test_a_wrong_argument_of_the_admission_is_refused_in_one_line(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert admission.main([argument]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
