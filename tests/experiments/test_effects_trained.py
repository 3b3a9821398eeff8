"""The declared effects of training: their arms compose, their numbers are those of made-up scores whose answer is known."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.effects import finetuning, trained_arms
from experiments.effects.arms import ARMS, settings_of, trains
from experiments.effects.finetuning import arms_of, sweep_section
from experiments.effects.isotonic import isotonic
from experiments.effects.report import Options, judge, plan_of
from experiments.effects.trained_arms import TRAINED, asymmetry, popularity, raft_section, trained_effects, unchanged, untaught
from rag_eval.config.check import check
from rag_eval.config.compose import composed
from rag_eval.report.claims.values import difference, estimate_of
from rag_eval.score.primary import EM, train_phrasing
from rag_eval.testing.finished_runs import facts
from rag_eval.types import Estimate
from tests.claims import every
from tests.experiments.pools_of_effects import named

OPTIONS = Options(embedder="hashed")


def test_every_arm_that_an_effect_or_the_report_names_is_one() -> None:
    arms = ARMS | TRAINED
    assert every(set(effect.arms) <= arms.keys() for effect in trained_effects("ci"))
    assert set(finetuning.SIDES) | set(finetuning.SWEEPS) <= arms_of().keys()


@pytest.mark.parametrize("name", sorted(TRAINED | finetuning.OTHERS))
def test_the_settings_of_every_trained_arm_hold_together_and_follow_the_world(name: str) -> None:
    plan = plan_of(OPTIONS)
    (overrides,) = (TRAINED | finetuning.OTHERS)[name]
    spec = check(composed(settings_of(plan, 7, overrides, "/a/folder")))
    world = spec.dataset.get("after", spec.dataset)
    assert (world.get("preset"), world.get("seed")) == ("ci", 7)
    trained = spec.adapter.target.endswith("Lora")
    assert spec.seed == (7 if trained else 0)
    if trained:
        assert spec.adapter.get("start") == ("/a/folder" if trained_arms.START in overrides else None)


def test_only_a_generator_with_weights_is_trained() -> None:
    assert trains(OPTIONS.generator)
    assert not trains("scripted")


def test_every_fact_is_seen_as_often_whatever_the_phrasings() -> None:
    plan = plan_of(OPTIONS)
    seen = set()
    for arm in trained_arms.PHRASED.values():
        spec = check(composed(settings_of(plan, 0, TRAINED[arm][0])))
        seen.add(spec.adapter.get("epochs") * spec.dataset.get("n_phrasings"))
    assert seen == {trained_arms.PASSES}


def test_what_was_not_run_is_not_measured() -> None:
    assert {judge(effect, {}, [], [0, 1]).text for effect in trained_effects("ci")} == {"NOT MEASURED"}
    assert raft_section({}).rows == ()


def test_reversing_is_compared_by_the_fact_that_is_asked_for() -> None:
    forward = {"0.0/test-forward-a-symptom": 1.0, "0.0/test-forward-b-symptom": 1.0, "0.0/test-forward-c-symptom": 1.0}
    backward = {"0.0/test-reverse-b-symptom": 0.0, "0.0/test-reverse-a-symptom": 1.0, "0.0/test-reverse-z-symptom": 0.0}
    found = {
        "finetune": named(forward),
        "finetune, reverse": named(backward),
        "oracle": named(forward),
        "oracle, reverse": named(dict.fromkeys(backward, 1.0) | {"0.0/test-reverse-a-symptom": 0.0}),
    }
    # a: nothing lost by the trained, one by the reader; b: one lost by the trained alone; c is not asked backwards
    assert dict(zip(asymmetry(found).names, asymmetry(found).values, strict=True)) == {
        "0.0/test-forward-a-symptom": -1.0,
        "0.0/test-forward-b-symptom": 1.0,
    }


def test_the_slope_of_popularity_is_that_of_least_squares_with_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {"a": 1, "b": 2, "c": 8, "d": 16}
    monkeypatch.setattr(trained_arms, "n_documents", lambda preset, seed: counts)
    entities, scores = [*counts] * 5, [0, 0, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 1, 0, 1, 1, 0, 0, 0, 0]
    pool = named({f"0.0/{at}": float(score) for at, score in enumerate(scores)}, cluster=entities)
    pool = pool.__class__(pool.rows, pool.predictions, {name: name for name in pool.rows}, ())  # questions by themselves
    values = popularity("arm", "ci")({"arm": pool})
    x = np.log2([counts[one] for one in entities])
    y = np.array(scores, dtype=float)
    expected, intercept = np.polyfit(x, y, 1)
    assert np.mean(values.values) == pytest.approx(expected)
    residuals = y - intercept - expected * x
    robust = math.sqrt(float((((x - x.mean()) * residuals) ** 2).sum())) / float(((x - x.mean()) ** 2).sum())  # White 1980
    found = estimate_of(values)
    assert found is not None
    from_interval = (found.high - found.low) / 2 / 2.093  # t with 19 degrees of freedom
    assert from_interval == pytest.approx(robust * math.sqrt(20 / 19), rel=1e-3)


def test_where_all_are_as_popular_there_is_no_slope(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trained_arms, "n_documents", lambda preset, seed: {"a": 2, "b": 2})
    found = popularity("arm", "ci")({"arm": named({"0.0/1": 1.0, "0.0/2": 0.0, "0.0/3": 0.0}, cluster=["a", "b", "a"])})
    assert every(map(math.isnan, found.values))


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_where_all_answers_are_right_or_all_wrong_popularity_says_nothing(monkeypatch: pytest.MonkeyPatch, score: float) -> None:
    monkeypatch.setattr(trained_arms, "n_documents", lambda preset, seed: {"a": 1, "b": 8})
    found = popularity("arm", "ci")({"arm": named(dict.fromkeys(["0.0/1", "0.0/2", "0.0/3"], score), cluster=["a", "b", "a"])})
    assert estimate_of(found) is None


def test_what_one_world_knows_more_of_is_not_taken_for_its_popularity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trained_arms, "n_documents", lambda preset, seed: {"a": 1, "b": 2} if seed == 0 else {"a": 8, "b": 16})
    names = [f"{world}.0/{at}" for world in (0, 1) for at in range(4)]
    found = {"arm": named(dict(zip(names, [0, 0, 0, 1, 1, 1, 1, 0], strict=True)), cluster=["a", "a", "b", "b"] * 2)}
    assert np.mean(popularity("arm", "ci")(found).values) == pytest.approx(0.0)  # +.5 in one world, -.5 in the other
    effect = replace(trained_effects("ci")[0], measure=popularity("arm", "ci"), arms=("arm",))
    assert judge(effect, found, [], [0, 1]).worlds == pytest.approx((0.5, -0.5))


TAUGHT = facts("finetune", 100, weights="trained")


def test_a_verdict_names_the_arms_that_did_not_learn() -> None:
    pool = named({f"0.0/{at}": float(at % 2) for at in range(8)}, cluster=[str(at) for at in range(8)])
    behind = replace(pool, records=(SimpleNamespace(facts=TAUGHT, estimates={train_phrasing(EM): Estimate(0.5, 0.4, 0.6, 100, 30)}),))
    able = replace(pool, records=(SimpleNamespace(facts=TAUGHT, estimates={train_phrasing(EM): Estimate(0.99, 0.9, 1.0, 100, 30)}),))
    effect = replace(trained_effects("ci")[0], measure=difference("one", "two"), arms=("one", "two"))
    assert judge(effect, {"one": behind, "two": able}, [], [0]).text.endswith(" (under-trained: one)")
    assert "under-trained" not in judge(effect, {"one": able, "two": able}, [], [0]).text


def test_settings_of_the_world_go_to_its_new_version_and_folders_stay() -> None:
    plan = plan_of(replace(OPTIONS, runs=Path("dataset.runs")))
    cfg = composed(settings_of(plan, 3, TRAINED["finetune, continued"][0], "/a/folder"))
    assert (cfg.output_dir, cfg.dataset.after.seed, cfg.dataset.before.seed) == ("dataset.runs", 3, 3)


def test_the_report_asks_who_was_trained_for_it_what_was_forgotten_and_no_sweep() -> None:
    arms = arms_of()
    assert every("n_forgetting=0" not in arms[name][0] for name in ("finetune", *finetuning.OTHERS))
    assert "n_forgetting=0" in arms["finetune, grouped"][0]


def test_documents_are_counted_by_the_entity_that_they_are_about() -> None:
    counts = trained_arms.n_documents("ci", 0)
    assert len(counts) == 32
    assert max(counts.values()) > 10 * min(counts.values())


def test_untaught_are_entities_that_training_asks_nothing_about() -> None:
    found = {"arm": named({"0.0/1": 1.0, "0.0/2": 1.0, "0.0/3": 1.0}, seen=["entity and attribute", "attribute", "neither"])}
    assert untaught(found, "arm") == ["0.0/2", "0.0/3"]


def test_unchanged_leaves_out_what_changed_and_who_has_a_new_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trained_arms, "renamed", lambda preset, seed: {"b"} if seed == 0 else set())
    names = {"0.0/1": 1.0, "0.0/2": 1.0, "0.0/3": 1.0, "1.0/4": 1.0}
    pool = named(names, change=["retained", "retained", "canary", "locality"], cluster=["a", "b", "a", "b"])
    assert unchanged("ci")({"arm": pool}, "arm") == ["0.0/1", "1.0/4"]


def test_the_isotonic_fit_is_the_means_where_they_rise_and_chance_does_not_as_well() -> None:
    rng = np.random.default_rng(0)
    scores = (rng.random((4, 200)) < np.array([[0.1], [0.4], [0.6], [0.9]])).astype(float)
    found = isotonic(scores, [at // 2 for at in range(200)])
    assert found.fitted == pytest.approx(scores.mean(axis=1).tolist())
    assert found.explained == pytest.approx(1.0)
    assert found.p < 0.001


def test_a_falling_line_is_not_taken_for_a_rising_one() -> None:
    scores = np.repeat([[0.9], [0.5], [0.1]], 60, axis=1)
    found = isotonic(scores, range(60))
    assert found.fitted == pytest.approx([0.5] * 3)
    assert found.explained == pytest.approx(0.0)
    assert found.p == 1.0


def test_entities_are_shuffled_whole_so_few_of_them_prove_little() -> None:
    scores = np.repeat([[0.0], [1.0]], 50, axis=1)
    assert isotonic(scores, ["one"] * 50).p > 0.4  # one entity can come in two orders
    assert isotonic(scores, range(50)).p < 0.001


@pytest.mark.parametrize("scores", [np.ones((1, 3)), np.ones((2, 0)), np.array([[1.0], [math.nan]])])
def test_isotonic_refuses_what_it_cannot_test(scores: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected at least two arms"):
        isotonic(scores, range(scores.shape[1]))


def test_a_sweep_shows_each_arm_over_the_same_questions() -> None:
    names = [f"{world}.0/{at}" for world in (0, 1) for at in range(10)]
    seen = ["attribute"] * 10 + ["entity"] * 10
    arms = {0: "none", 5: "some"}
    found = {
        "none": named(dict.fromkeys(names, 0.0), seen=seen),
        "some": named({name: float(at % 2) for at, name in enumerate(names)}, seen=seen),
    }
    every = sweep_section("title", "what", found, arms, None)
    assert [row[1].value for row in every.rows[:2]] == [0.0, 0.5]
    half = sweep_section("title", "what", found, arms, untaught)
    assert [row[-1] for row in half.rows[:2]] == ["10 (10)", "10 (10)"]
    assert half.rows[1][2].value is None  # of one world nothing is known of others
    assert every.rows[1][2].value == 0.5


def test_the_report_refuses_who_cannot_be_trained(capsys: pytest.CaptureFixture[str]) -> None:
    assert finetuning.main(["generator=scripted", "seeds=0"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "error: generator=scripted has no weights to train; choose tiny or hf."


@pytest.mark.parametrize("argument", ["preset=nope", "seeds=x", "colour=red", "tiny"])
def test_a_wrong_argument_of_the_report_is_refused_in_one_line(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert finetuning.main([argument]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
