"""The rows of the table: every cell has claims, every claim its arms, and its number is that of made-up scores whose answer is known."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from experiments.effects.arms import PRIOR, ArmRun, settings_of
from experiments.effects.measures import MISLED, STALE
from experiments.effects.trained_arms import TRAINED
from experiments.study import Found
from experiments.table import adaptability, customization, data_dependency, inference_time
from experiments.table.command import Options, arms_of, before, left_out, runs, sweeps_of
from experiments.table.customization import ALONE, TENANTS, TOGETHER, has_form, serving
from experiments.table.forecast import forecast, trained_on
from experiments.table.presets import PRESETS, Preset
from experiments.table.real_text import MEASURE, NAMED, settings_in
from experiments.table.row import Point, Row
from experiments.table.rows import ROWS as EVERY_ROW
from rag_eval.config.build import dataset_of
from rag_eval.config.check import check
from rag_eval.config.compose import composed
from rag_eval.report.claims.claim import Measured, Missing, Number, Results, TableClaim, detectable, judge
from rag_eval.report.claims.declare import ANY, BY_POWER
from rag_eval.report.claims.html.questions import QUESTIONS
from rag_eval.report.claims.measures import geometric_mean, learning_seconds, ratio_of_learning
from rag_eval.report.claims.numbers import number_of
from rag_eval.report.claims.pool import Pool
from rag_eval.report.claims.tables import CELLS, as_data
from rag_eval.report.claims.values import ABSTAINS, HELD, mean
from rag_eval.score.primary import CONTAINS, EM, train_phrasing
from rag_eval.stats.estimate import estimate
from rag_eval.testing.finished_runs import facts, write_run
from rag_eval.types import Estimate
from tests.claims import every, none_of
from tests.experiments.pools_of_effects import prediction

ROWS = (customization.ROW, data_dependency.ROW, adaptability.ROW)
TERMS = (Path(__file__).parent / "claim_terms.txt").read_text(encoding="utf-8").splitlines()  # id, threshold and unit of each claim
CI, WIDE = PRESETS["ci"], PRESETS["laptop"]
CLAIMS = {claim.id: claim for row in ROWS for claim in row.claims(WIDE)}
NO_FIELDS: Mapping[str, Any] = {}
N = 12  # questions that count, about an entity each; as many others beside them


def names_run(row: Row, preset: str) -> set[str]:
    """What a preset runs of a row: arms and other work."""
    size = PRESETS[preset]
    work = {str(run.key) for run in row.work(size, Options(preset=preset).plan)}
    return {*row.arms(size), *row.sweeps(size), *work}


# What is declared


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_cell_has_a_claim_and_every_claim_its_arms(row: Row) -> None:
    claims = row.claims(WIDE)
    assert {(one.side, one.kind) for one in claims} == set(CELLS)
    assert every(set(one.needs) <= names_run(row, "laptop") for one in claims)
    assert names_run(row, "laptop") >= names_run(row, "ci")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_smallest_preset_measures_every_cell_with_one_training(row: Row) -> None:
    run = names_run(row, "ci")
    measured = Counter((one.side, one.kind) for one in row.claims(CI) if set(one.needs) <= run)
    assert set(measured) == set(CELLS)
    assert row.sweeps(CI) == {}
    recipes = {
        tuple(one for one in overrides if one.startswith("adapter"))
        for of_world in row.arms(CI).values()
        for overrides in of_world
        if any(one.startswith("adapter.") for one in overrides)
    }
    assert len({frozenset(one) - {"adapter.data.reading_share=0"} for one in recipes}) == 1


@pytest.mark.parametrize("row", EVERY_ROW, ids=lambda row: row.name)
def test_an_id_is_that_of_the_row_the_side_and_what_is_claimed(row: Row) -> None:
    prefix = row.name.lower().replace(" ", "-")
    assert every(one.id.startswith(f"{prefix}/{one.side.lower()}-") for one in row.claims(WIDE))
    assert every(one.id == one.claim.name == one.id.lower().replace(" ", "-") for one in row.claims(WIDE))


def test_ids_stay_as_they_are_for_pages_and_data_refer_to_them() -> None:
    claims = [one.id for row in EVERY_ROW for one in row.claims(WIDE)]
    assert len(set(claims)) == len(claims)
    assert sorted(claims) == [line.partition(" ")[0] for line in TERMS]
    answering = [id for asked in QUESTIONS for id in asked.claims]
    assert len(answering) >= 20
    assert every(id in claims for id in answering)


def test_thresholds_are_those_that_were_declared_before_the_runs() -> None:
    """A change of one is a change of this file, with its reason in the claim's source."""
    claims = [one for row in EVERY_ROW for one in row.claims(WIDE)]
    assert sorted(terms(one) for one in claims) == TERMS


def terms(one: TableClaim) -> str:
    margin = "" if one.claim.margin is None else f" ± {one.claim.margin:g}"
    return f"{one.id} {one.claim.direction} {one.claim.threshold:g}{margin} {one.unit}"


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: f"{preset.name}_preset")
def test_what_a_preset_leaves_out_or_runs_once_is_an_arm_or_a_measurement(preset: Preset) -> None:
    whole = replace(preset, left_out=(), first_world=())
    work = {str(run.key) for row in EVERY_ROW for run in row.work(whole, Options(preset=preset.name).plan)}
    assert {*preset.left_out, *preset.first_world} <= {*arms_of(EVERY_ROW, whole), *sweeps_of(EVERY_ROW, whole), *work}


def clusters_needed(margin: float, confidence: float) -> int:
    """Clusters from which on the interval of a difference that is 0 for every question lies within a margin."""
    zeros = (estimate([0.0] * n, range(n), False, (-1.0, 1.0), confidence) for n in range(10, 500))
    return next(one.n_clusters for one in zeros if one is not None and one.high < margin)


def test_margins_are_those_that_the_worlds_of_the_wide_presets_can_show() -> None:
    assert (clusters_needed(0.02, 0.90), clusters_needed(0.05, 0.90)) == (135, 54)
    assert BY_POWER.endswith("0.02 takes 135 clusters even where no answer differs, 0.05 takes 54, three worlds have 96")
    assert every(32 * len(preset.seeds) >= 96 for preset in PRESETS.values() if preset.is_wide)
    withdrawn = 22  # entities of a world that half of the documents leave out
    assert withdrawn * len(WIDE.seeds) >= clusters_needed(0.05, 0.95)  # so that no leak at all is less than 5 %


def test_real_trains_at_most_a_dozen_times_and_three_times_what_the_headline_is_about() -> None:
    options = Options(preset="real")
    arms, sweeps = arms_of(options.chosen, options.size), sweeps_of(options.chosen, options.size)
    told = forecast(options.size, arms, sweeps, 12)
    assert told.n_trainings <= 12
    assert told.seconds is not None
    assert told.seconds <= 8 * 3600
    assert "finetune" in arms
    assert len(options.size.seeds) == 3
    assert before(options).startswith(f"{told.n_runs} runs, {told.n_trainings} trainings among them, and 12 other measurements: about ")


@pytest.mark.parametrize("name", ["laptop", "real"], ids=lambda name: f"{name}_preset")
def test_no_more_questions_are_timed_than_a_preset_asks(name: str) -> None:
    options = Options(preset=name)
    dataset = dataset_of(check(composed(settings_of(options.plan, 0, ("mode=closed_book",)))))
    assert len(dataset.test) == options.size.n_questions >= inference_time.size_of(options.size).n_queries


def test_the_laptop_preset_is_told_to_take_no_more_than_75_minutes() -> None:
    options = Options(preset="laptop")
    told = forecast(options.size, arms_of(options.chosen, options.size), sweeps_of(options.chosen, options.size), 12)
    assert told.seconds is not None
    assert told.seconds <= 75 * 60


def test_arms_that_train_on_the_same_rows_count_as_one_training() -> None:
    arms = arms_of(EVERY_ROW, CI)
    same = [
        trained_on(one)
        for name in ("finetune", "rag_finetune", "finetune, no answer", "finetune, never updated, changed")
        for one in arms[name]
    ]
    assert len(same) == 6
    assert len(set(same)) == 1
    assert trained_on(arms["rag"][0]) == frozenset()
    wide = arms_of(EVERY_ROW, WIDE) | sweeps_of(EVERY_ROW, WIDE)
    others = {
        trained_on(wide[name][0]) for name in ("finetune, house", "finetune_format, house", "finetune, grouped", "update: from scratch")
    }
    assert len(others | set(same)) == 5


def test_a_recipe_takes_the_place_of_the_settings_of_every_training_and_of_no_other_arm() -> None:
    plan = Options(preset="real").plan
    trained = settings_of(plan, 1, TRAINED["finetune"][0])
    assert {"adapter.learning_rate=0.001", "adapter.epochs=null", "adapter.batch_size=16", "adapter.rank=16"} <= set(trained)
    assert not {"adapter.learning_rate=0.008", "dataset.n_phrasings=6"} & set(trained)
    assert trained.count("dataset.n_phrasings=1") == 1
    assert none_of(one.startswith("adapter.") for one in settings_of(plan, 1, ("mode=rag",)))
    spec = check(composed(trained))
    assert (spec.adapter.get("epochs"), spec.dataset.get("n_phrasings")) == (None, 1)
    assert none_of(one.startswith("generator") for one in settings_of(plan, 1, PRIOR))


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_a_claim_says_what_is_compared_its_threshold_and_its_source(claim: TableClaim) -> None:
    assert claim.claim.text.endswith(".")
    assert claim.contrast
    assert claim.source.startswith("2.")
    assert claim.needs
    assert math.isfinite(claim.claim.threshold)
    assert claim.metrics == ANY or set(claim.metrics) <= {EM, CONTAINS}


THRESHOLDS = {  # of the protocol, as they were declared, with five points where its two cannot be shown
    "customization/fine-tuning-form": ("above", 0.3),
    "customization/rag-facts": ("above", 0.0),
    "customization/fine-tuning-form-without-facts": ("equivalent", 0.05),
    "customization/rag-form-instructed": ("above", 0.02),
    "data-dependency/rag-copies": ("equivalent", 0.05),
    "adaptability/rag-not-stale": ("below", 0.05),
    "adaptability/fine-tuning-update-time": ("above", 10.0),
    "adaptability/fine-tuning-forgets-replay": ("below", -0.01),
    "adaptability/rag-stale-index-useless": ("equivalent", 0.05),
    "adaptability/fine-tuning-tailored": ("above", -0.05),
}


@pytest.mark.parametrize("id", THRESHOLDS)
def test_thresholds_are_those_of_the_protocol(id: str) -> None:
    claim = CLAIMS[id].claim
    assert (claim.direction, claim.margin if claim.direction == "equivalent" else claim.threshold) == THRESHOLDS[id]


@pytest.mark.parametrize(
    "name", ["rag, 0.5 of the documents", "finetune, wrong answers", "update: stacked", "update: continue, 10 % replay"]
)
def test_settings_of_the_world_go_to_where_its_dataset_holds_it(name: str) -> None:
    options = Options(preset="laptop")
    for overrides in (arms_of(ROWS, WIDE) | sweeps_of(ROWS, WIDE))[name]:
        spec = check(composed(settings_of(options.plan, 7, overrides, "/a/folder")))
        world = spec.dataset.get("after", spec.dataset.get("of"))
        assert (world.get("preset"), world.get("seed"), list(world.get("questions").get("nothings"))) == ("ci", 7, [])


def test_what_a_preset_does_not_run_is_not_measured_and_says_why() -> None:
    options = Options(preset="ci", rows=("Data dependency",))
    reasons = left_out(options)
    assert "finetune, grouped" in reasons
    assert not set(reasons) & names_run(data_dependency.ROW, "ci")
    found = judge(CLAIMS["data-dependency/fine-tuning-order"], Results(left_out=reasons))
    assert found.verdict.word == "NOT MEASURED"
    assert found.reason == "preset=ci does not run 'finetune, grouped'; presets with sweeps do"
    assert left_out(replace(options, preset="laptop")) == {}


def test_sweeps_are_run_in_the_first_world_alone() -> None:
    made = Counter(run.key.arm for run in runs(Options(preset="laptop")) if isinstance(run.key, ArmRun))
    assert made["finetune, grouped"] == 1
    assert made["finetune"] == len(WIDE.seeds) == 4


def test_what_one_row_runs_in_every_world_another_does_not_run_in_the_first_again() -> None:
    swept = replace(customization.ROW, sweeps=lambda _: {"rag": data_dependency.LEAST["rag"], "more": (("mode=rag", "retriever.k=1"),)})
    assert set(sweeps_of((data_dependency.ROW, swept), CI)) == {"more"}


def test_an_arm_of_two_rows_has_the_same_settings_in_both() -> None:
    other = replace(customization.ROW, arms=lambda _: {"rag": (("mode=rag", "retriever.k=1"),)})
    with pytest.raises(ValueError, match="the arm 'rag' has other settings in an earlier row"):
        arms_of((data_dependency.ROW, other), CI)


# Their numbers


def pool(
    value: float | str,
    elsewhere: float | str = 0.0,
    key: str = EM,
    counts: Mapping[str, Any] = NO_FIELDS,
    not_: Mapping[str, Any] = NO_FIELDS,
) -> Pool:
    """An arm in which N questions that count have one score or text and N others, told apart by fields, another one."""
    rows: dict[str, dict[str, Any]] = {}
    texts = {}
    for at in range(2 * N):
        said = value if at < N else elsewhere
        rows[f"0.0/q{at}"] = {"cluster": f"c{at}", **(counts if at < N else not_)}
        if isinstance(said, str):
            texts[f"0.0/q{at}"] = replace(prediction(f"q{at}"), text=said)
        else:
            rows[f"0.0/q{at}"][key] = said
    return Pool(rows, texts or {name: prediction(name) for name in rows}, {name: f"0/{row['cluster']}" for name, row in rows.items()}, ())


@dataclass(frozen=True)
class Case:
    """Scores of arms, and the number that follows."""

    expected: float
    arms: Mapping[str, float | str]  # of the questions that count
    elsewhere: float | str | None = None  # of the others; None = the same
    key: str = EM
    counts: Mapping[str, Any] = field(default_factory=dict)
    not_: Mapping[str, Any] = field(default_factory=dict)


HOUSE = {"counts": {"kind": "house"}, "not_": {"kind": "forward"}}
PLAIN = {"counts": {"kind": "forward"}, "not_": {"kind": "house"}}
MISSED = {"counts": {HELD: 0.0}, "not_": {HELD: 1.0}}
UNTAUGHT: dict[str, Any] = {"counts": {"seen": "attribute"}, "not_": {"seen": "entity and attribute"}}
UNCHANGED: dict[str, Any] = {"counts": {"change": "retained"}, "not_": {"change": "canary"}}
CHANGED: dict[str, Any] = {"counts": {"change": "canary"}, "not_": {"change": "locality"}}
STYLED, BARE = "finding: liver", "liver"
HALF = "rag, 0.5 of the documents"

CASES: dict[str, Case] = {
    "customization/fine-tuning-facts": Case(0.7, {"prior": 0.25, "finetune": 0.95}),
    "customization/fine-tuning-knowledge": Case(0.9, {"finetune_format, house": 0.05, "finetune, house": 0.95}, 0.5, **PLAIN),
    "customization/fine-tuning-form": Case(1.0, {"rag, house": BARE, "finetune, house": STYLED}, BARE, **HOUSE),
    "customization/fine-tuning-form-precision": Case(0.0, {"finetune, house": BARE}, STYLED, **PLAIN),
    "customization/fine-tuning-form-depth": Case(-1.0, {"finetune, house": BARE, "finetune, house, instructed": STYLED}, BARE, **HOUSE),
    "customization/fine-tuning-form-without-facts": Case(-1.0, {"finetune_format, house": STYLED, "finetune, house": BARE}, BARE, **HOUSE),
    "customization/fine-tuning-refusal": Case(0.9, {"finetune, no answer": 0.1, "closed_book, no answer": 1.0}, key=ABSTAINS),
    "customization/fine-tuning-reading": Case(-0.125, {"rag": 1.0, "rag_finetune": 0.875}),
    "customization/fine-tuning-other-forms": Case(1.0, {"finetune, json": BARE, "rag, json": '{"organ": "liver"}'}),
    "customization/rag-facts": Case(0.25, {"finetune": 0.75, "rag": 1.0}),
    "customization/rag-knowledge": Case(0.875, {"rag_random": 0.125, "rag": 1.0}),
    "customization/rag-tenants": Case(0.0, {HALF: 0.0}, 1.0, **MISSED),
    "customization/rag-form": Case(0.0, {"rag, house": BARE}, STYLED, **HOUSE),
    "customization/rag-form-instructed": Case(1.0, {"rag, house, instructed": BARE, "finetune, house": STYLED}, BARE, **HOUSE),
    "customization/rag-refusal-instructed": Case(0.75, {"rag, no answer, not instructed": 0.25, "rag, no answer": 1.0}, key=ABSTAINS),
    "data-dependency/fine-tuning-enough": Case(0.2, {"finetune": 1.0, "oracle": 1.0}),
    "data-dependency/fine-tuning-phrasings": Case(  # 0.1, 0.3, 0.8 over 1, 2, 6 lie at -2, -1, 3 from the mean: (-0.2 - 0.3 + 2.4) / 14
        1.9 / 14, {"finetune, 1 phrasings": 0.1, "finetune, 2 phrasings": 0.3, "finetune": 0.8}
    ),
    "data-dependency/fine-tuning-restatements": Case(  # 0, 0.2, 1 over 0, 2, 10 lie at -4, -2, 6 from the mean: (-0.4 + 6) / 56
        0.1, {"finetune, 0 restatements": 0.0, "finetune, 2 restatements": 0.2, "finetune, 10 restatements": 1.0}, 0.5, **UNTAUGHT
    ),
    "data-dependency/fine-tuning-hallucinates": Case(0.75, {"finetune, no answer": 0.0, "rag, no answer": 0.75}, key=ABSTAINS),
    "data-dependency/fine-tuning-told-once": Case(-0.6, {"finetune, 0 restatements": 0.2, "oracle": 1.0}, 0.9, **UNTAUGHT),
    "data-dependency/fine-tuning-one-phrasing": Case(0.1, {"finetune, 1 phrasings": 0.5, "oracle": 0.5}),
    "data-dependency/fine-tuning-order": Case(0.7, {"finetune, grouped": 0.25, "finetune": 0.95}),
    "data-dependency/fine-tuning-label-noise": Case(-0.2, {"finetune": 1.0, "finetune, wrong answers": 0.8}),
    "data-dependency/rag-untrained": Case(-0.3, {"rag": 0.5, "oracle": 1.0}),
    "data-dependency/rag-copies": Case(-0.25, {"rag": 1.0, "rag, copies": 0.75}),
    "data-dependency/rag-coverage": Case(-0.5, {"rag": 1.0, HALF: 0.5}),
    "data-dependency/rag-coverage-linear": Case(0.1, {HALF: 0.4, "rag, 0.75 of the documents": 0.75, "rag": 0.9}),
    "data-dependency/rag-noise": Case(-0.1, {"oracle": 1.0, "oracle among 2": 0.8, "oracle among 4": 0.6}),
    "data-dependency/rag-false-pages": Case(-0.5, {"rag": 1.0, "rag, false pages": 0.5}),
    "data-dependency/rag-repeats-false-pages": Case(0.375, {"rag, false pages": 0.375}, key=MISLED),
    "adaptability/fine-tuning-tailored": Case(-0.25, {"rag": 1.0, "finetune": 0.75}),
    "adaptability/fine-tuning-stable": Case(0.25, {"update: rag, indexed anew": 0.75, "update: nothing": 1.0}, 0.1, **UNCHANGED),
    "adaptability/fine-tuning-retrained": Case(-0.5, {"update: rag, indexed anew": 1.0, "update: from scratch": 0.5}, 0.1, **CHANGED),
    "adaptability/fine-tuning-replay": Case(0.5, {"update: continue": 0.25, "update: continue, 10 % replay": 0.75}, 0.1, **UNCHANGED),
    "adaptability/fine-tuning-stale": Case(0.875, {"finetune, never updated, changed": 0.875}, key=STALE),
    "adaptability/fine-tuning-recites": Case(0.75, {"closed_book, changed": 0.0, "finetune, never updated, changed": 0.75}, key=STALE),
    "adaptability/fine-tuning-deletion": Case(0.75, {HALF: 0.0, "finetune": 0.75}, 0.1, **MISSED),
    "adaptability/fine-tuning-forgets-continued": Case(-0.75, {"update: nothing": 1.0, "update: continue": 0.25}, 0.1, **UNCHANGED),
    "adaptability/fine-tuning-forgets-replay": Case(-0.5, {"update: nothing": 1.0, "update: continue, 50 % replay": 0.5}, 0.1, **UNCHANGED),
    "adaptability/fine-tuning-forgets-stacked": Case(-0.25, {"update: nothing": 1.0, "update: stacked": 0.75}, 0.1, **UNCHANGED),
    "adaptability/rag-follows": Case(0.75, {"rag_stale, changed": 0.25, "rag, changed": 1.0}),
    "adaptability/rag-not-stale": Case(0.125, {"rag, changed": 0.125}, key=STALE),
    "adaptability/rag-deletion": Case(0.0, {HALF: 0.0}, 1.0, **MISSED),
    "adaptability/rag-stale-index": Case(0.75, {"rag, changed": 0.125, "rag_stale, changed": 0.875}, key=STALE),
    "adaptability/rag-stale-index-useless": Case(0.125, {"closed_book, changed": 0.0, "rag_stale, changed": 0.125}),
    "adaptability/rag-old-pages": Case(-0.5, {"rag, changed": 1.0, "rag, changed, old pages kept": 0.5}),
    "adaptability/rag-old-pages-stale": Case(0.5, {"rag, changed": 0.0, "rag, changed, old pages kept": 0.5}, key=STALE),
}
ELSEWHERE = {  # claims whose numbers have tests of their own
    "customization/fine-tuning-tenants",
    "customization/fine-tuning-resources",
    "customization/rag-errors",
    "adaptability/fine-tuning-update-time",
    *(f"data-dependency/rag-real-text-{name.lower()}" for name in NAMED),
}


def results(arms: Mapping[str, Pool]) -> Results:
    found: Found[str, Pool] = Found()
    found |= arms
    return Results(found)


def number(found: Measured) -> Number:
    assert isinstance(found, Number)
    return found


def test_every_claim_is_measured_in_these_tests() -> None:
    assert CASES.keys() | ELSEWHERE == CLAIMS.keys()
    assert not CASES.keys() & ELSEWHERE


@pytest.mark.parametrize("id", CASES)
def test_the_number_of_a_claim_is_that_of_its_arms(id: str) -> None:
    case, claim = CASES[id], CLAIMS[id]
    assert set(case.arms) == set(claim.needs)
    arms = {
        name: pool(value, value if case.elsewhere is None else case.elsewhere, case.key, case.counts, case.not_)
        for name, value in case.arms.items()
    }
    found = number(claim.measure(results(arms), EM))
    assert found.mean == pytest.approx(case.expected)
    assert found.n == (2 * N if case.elsewhere is None else N)


@pytest.mark.parametrize("id", [id for id, claim in CLAIMS.items() if claim.metrics == (EM, CONTAINS) and id in CASES])
def test_a_claim_about_right_answers_is_measured_by_containment_as_well(id: str) -> None:
    case, claim = CASES[id], CLAIMS[id]
    fields = (case.counts, case.not_)
    arms = {name: pool(value, value, CONTAINS, *fields) for name, value in case.arms.items()}
    assert number(claim.measure(results(arms), CONTAINS)).mean == pytest.approx(case.expected)


def test_the_house_term_opens_an_answer() -> None:
    said = {text: has_form(replace(prediction("q"), text=text)) for text in ("finding: x", " Finding: x", "x", "a finding: x", "")}
    assert said == {"finding: x": True, " Finding: x": True, "x": False, "a finding: x": False, "": False}


def mixed(held: Sequence[float], right: Sequence[float]) -> Pool:
    found = pool(0.0)
    rows = {
        name: {**found.rows[name], HELD: is_held, EM: is_right} for name, is_held, is_right in zip(found.rows, held, right, strict=True)
    }
    return replace(found, rows=rows)


def test_evidence_is_worth_what_is_right_with_it_less_what_is_right_without() -> None:
    claim = CLAIMS["customization/rag-errors"]
    arms = {"rag, sibling pages": mixed([1.0] * 12 + [0.0] * 12, [1.0] * 9 + [0.0] * 3 + [1.0] * 3 + [0.0] * 9)}
    found = number(claim.measure(results(arms), EM))
    assert found.mean == pytest.approx(9 / 12 - 3 / 12)
    # two independent shares over 12 clusters each: variances 0.1875 / 12, with the factor 24 / 23, t of 23 degrees of freedom
    assert (found.high - found.low) / 2 == pytest.approx(2.0687 * math.sqrt(2 * 0.1875 / 12 * 24 / 23), rel=1e-3)


def test_a_share_over_few_entities_says_nothing_of_what_evidence_is_worth() -> None:
    claim = CLAIMS["customization/rag-errors"]
    arms = {"rag, sibling pages": mixed([1.0] * 15 + [0.0] * 9, [1.0] * 15 + [0.0] * 9)}
    found = claim.measure(results(arms), EM)
    assert isinstance(found, Missing)
    assert "9 clusters have questions without evidence" in found.reason


def timed(found: Pool, *seconds: float | None) -> Pool:
    return replace(found, records=tuple(SimpleNamespace(spends={"learn": SimpleNamespace(seconds=one)}) for one in seconds))


def in_worlds(*seeds: int, em: Mapping[int, float], change: str = "canary", n_runs: int = 1) -> Pool:
    """An arm with 20 questions in each run, of which a share is answered rightly."""
    rows = {
        f"{seed}.{run}/q{at}": {"cluster": f"c{at}", "change": change, EM: float(at < round(20 * em[seed]))}
        for seed in seeds
        for run in range(n_runs)
        for at in range(20)
    }
    return Pool(rows, {name: prediction(name) for name in rows}, {name: name for name in rows}, ())


def test_seconds_to_learn_are_those_of_the_first_run_in_each_world() -> None:
    assert learning_seconds(timed(in_worlds(0, 5, em={0: 1.0, 5: 1.0}, n_runs=2), 3.0, 90.0, 4.0, 90.0)) == {0: 3.0, 5: 4.0}
    assert learning_seconds(timed(in_worlds(0, 5, em={0: 1.0, 5: 1.0}), None, 4.0)) == {5: 4.0}


def test_training_is_as_many_times_as_long_as_the_geometric_mean_says() -> None:
    worlds = in_worlds(0, 1, em={0: 1.0, 1: 1.0})
    arms = {"rag": timed(worlds, 1.0, 2.0), "finetune": timed(worlds, 20.0, 160.0)}
    found = number(CLAIMS["customization/fine-tuning-resources"].measure(results(arms), EM))
    assert found.mean == pytest.approx(40.0)  # of 20 and 80
    assert (found.n, found.n_clusters) == (2, None)
    assert number(ratio_of_learning("finetune", "rag")(results(arms), EM)).mean == pytest.approx(1 / 40)


def test_the_interval_of_a_ratio_is_students_of_its_logarithms() -> None:
    found = number(geometric_mean([1.0, math.e, math.e**2]))
    assert found.mean == pytest.approx(math.e)
    assert (math.log(found.low), math.log(found.high)) == pytest.approx((1 - 4.3027 / math.sqrt(3), 1 + 4.3027 / math.sqrt(3)), rel=1e-4)
    assert found.low_90 is not None
    assert math.log(found.low_90) == pytest.approx(1 - 2.9200 / math.sqrt(3), rel=1e-4)
    assert isinstance(geometric_mean([3.0]), Missing)


def policies(right: Mapping[str, Mapping[int, float]], seconds: Mapping[str, tuple[float, float]]) -> dict[str, Pool]:
    names = CLAIMS["adaptability/fine-tuning-update-time"].needs
    return {name: timed(in_worlds(0, 1, em=right.get(name, {0: 0.0, 1: 0.0})), *seconds.get(name, (500.0, 500.0))) for name in names}


def test_the_fastest_policy_that_follows_is_compared_with_a_new_index() -> None:
    both = {0: 1.0, 1: 1.0}
    right = {"update: rag, indexed anew": both, "update: continue": {0: 0.9, 1: 0.95}, "update: stacked": both}
    right |= {"update: from scratch": {0: 1.0, 1: 0.9}}  # 95 % of both
    seconds = {"update: rag, indexed anew": (1.0, 1.0), "update: continue": (20.0, 20.0), "update: from scratch": (90.0, 40.0)}
    found = CLAIMS["adaptability/fine-tuning-update-time"].measure(results(policies(right, seconds)), EM)
    assert number(found).mean == pytest.approx(60.0)  # of 90 and 40; continuing is faster and does not follow


def test_where_no_policy_follows_the_shortest_is_a_lower_bound() -> None:
    right = {"update: rag, indexed anew": {0: 1.0, 1: 1.0}}
    seconds = {"update: rag, indexed anew": (1.0, 1.0), "update: stacked": (5.0, 5.0)}
    one = number(adaptability.slower(results(policies(right, seconds)), EM))
    assert (one.mean, one.high) == (pytest.approx(5.0), math.inf)


def test_an_update_of_which_the_seconds_are_not_known_in_a_world_makes_no_policy_the_fastest() -> None:
    right = {"update: rag, indexed anew": {0: 1.0, 1: 1.0}}
    unknown: Any = {"update: stacked": (None, 5.0)}
    found = adaptability.slower(results(policies(right, unknown)), EM)
    assert isinstance(found, Missing)
    assert found.reason == "the seconds of an update were not measured in every world"


def test_an_adapter_that_did_not_learn_decides_nothing_but_what_its_capacity_is() -> None:
    taught = facts("finetune", 100, weights="trained")
    records = [
        SimpleNamespace(facts=taught, estimates={train_phrasing(EM): Estimate(share, share - 0.05, 1.0, 100, 30)}) for share in (0.5, 0.99)
    ]
    behind, able = ({"prior": pool(0.0), "finetune": replace(pool(1.0, 1.0), records=(record,))} for record in records)
    claim = CLAIMS["customization/fine-tuning-facts"]
    one = judge(claim, results(behind))
    assert (one.verdict.word, one.reason) == ("INCONCLUSIVE", "under-trained: finetune")
    assert judge(claim, results(able)).verdict.word == "SUPPORTED"
    assert judge(replace(claim, is_of_capacity=True), results(behind)).verdict.word == "SUPPORTED"


def test_an_index_that_does_not_follow_has_no_time_to_update() -> None:
    right = {"update: rag, indexed anew": {0: 0.95, 1: 0.9}}
    found = adaptability.slower(results(policies(right, {})), EM)
    assert isinstance(found, Missing)
    assert found.reason == "the new index does not bring 95% of the canaries"


def served(alone: Sequence[float], together: Sequence[float]) -> Results:
    tenants: Found[str, Pool] = Found()
    for name, scores in ((ALONE, alone), (TOGETHER, together)):
        whole = pool(0.0)
        tenants[name] = replace(whole, rows={id: {EM: one} for id, one in zip(whole.rows, scores, strict=True)})
    work: Found[str, Any] = Found()
    work[TENANTS] = tenants
    return Results(work=work)


def test_what_only_the_tenants_own_adapter_can_know_is_a_leak() -> None:
    claim = CLAIMS["customization/fine-tuning-tenants"]
    alone = [1.0] * 2 + [0.0] * 22
    assert number(claim.measure(served(alone, alone), EM)).mean == 0.0  # both guess two of them
    assert number(claim.measure(served(alone, [0.0] * 2 + [1.0] * 6 + [0.0] * 16), EM)).mean == pytest.approx(6 / 24)
    found = served(alone, alone)
    del found.work[TENANTS][ALONE]
    assert isinstance(claim.measure(found, EM), Missing)


def test_every_tenant_has_an_adapter_beside_the_other() -> None:
    plan = Options(preset="laptop").plan
    settings = composed(settings_of(plan, 1, serving({"forward": "/a/b", "own": "/c d"})))
    assert dict(settings.adapter.paths) == {"forward": "/a/b", "own": "/c d"}
    assert (settings.adapter.by, settings.mode.name) == ("kind", "finetune")


# Their curves


def test_curves_have_the_arms_that_were_run_over_questions_that_all_were_asked() -> None:
    arms = {HALF: pool(0.5), "rag, 0.75 of the documents": pool(0.75), "rag": pool(1.0), "finetune": pool(0.9)}
    rag = arms["rag"]
    arms["rag"] = replace(rag, rows={name: row for name, row in rag.rows.items() if name != "0.0/q0"})
    (curve,) = data_dependency.curves(WIDE, results(arms))  # of the others there is one point at most
    assert curve.id == "data-dependency-coverage"
    assert [(point.x, point.n) for point in curve.series["rag"]] == [(0.5, 23), (0.75, 23), (1.0, 23)]
    assert [point.mean for point in curve.series["rag"]] == pytest.approx([0.5 * 11 / 23, 0.75 * 11 / 23, 11 / 23])


def test_restatements_are_plotted_for_entities_without_training_questions() -> None:
    names = [f"finetune, {n} restatements" for n in (0, 2, 10)]
    arms = {name: pool(value, 1.0, EM, **UNTAUGHT) for name, value in zip(names, (0.1, 0.3, 0.5), strict=True)}
    (curve,) = data_dependency.curves(WIDE, results(arms))
    (points,) = curve.series.values()
    assert [(point.x, point.mean) for point in points] == [(0, pytest.approx(0.1)), (2, pytest.approx(0.3)), (10, pytest.approx(0.5))]


def test_versions_are_the_runs_of_an_arm_and_policies_stand_at_their_seconds() -> None:
    along = in_worlds(0, em={0: 0.5}, n_runs=3)
    rows = {name: {**row, EM: float(name[2]) / 2} for name, row in along.rows.items()}
    start = in_worlds(0, em={0: 1.0})
    arms = {
        "finetune": start,
        "rag": start,
        "finetune, never updated": replace(along, rows=rows),
        "rag, never updated": along,
        "rag, updated": along,
        "update: continue": timed(in_worlds(0, 1, em={0: 0.5, 1: 1.0}), 10.0, 30.0),
    }
    found = {curve.id: curve for curve in adaptability.curves(WIDE, results(arms))}
    assert set(found) == {"adaptability-versions", "adaptability-policies-changed"}
    points = found["adaptability-versions"].series["finetune, never updated"]
    assert [(point.x, point.mean) for point in points] == [(0, 1.0), (1, 0.0), (2, 0.5), (3, 1.0)]
    ((policy, (point,)),) = found["adaptability-policies-changed"].series.items()
    assert (policy, point.x, point.mean) == ("continue", 20.0, 0.75)
    assert isinstance(point, Point)


# On real text


def measured(work: Mapping[str, Any]) -> Results:
    """Measurements that are no runs of arms, by name."""
    found: Found[str, Any] = Found()
    found.update(work)
    return Results(work=found)


def test_the_evidence_in_real_text_is_found_as_often_as_the_search_says(tmp_path: Path) -> None:
    rows = [{MEASURE: float(at % 4 > 0)} for at in range(40)]
    searched = write_run(tmp_path, "bm25", "bm25", rows)
    claim = CLAIMS["data-dependency/rag-real-text-gard"]
    one = number(claim.measure(measured({"search in GARD": searched}), ""))
    assert (one.mean, one.n, one.n_clusters) == (0.75, 40, 20)


def test_without_a_folder_of_real_data_nothing_is_searched_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAG_EVAL_DATA", raising=False)
    made = {run.key: run.make(Found()) for run in data_dependency.work(WIDE, Options(preset="laptop").plan)}
    assert set(made) == {"search in GARD", "search in QED", "search in SQuAD2"}
    found = judge(CLAIMS["data-dependency/rag-real-text-gard"], measured(made))
    assert (found.verdict.word, found.reason) == ("NOT MEASURED", "RAG_EVAL_DATA names no folder of real data")
    assert data_dependency.work(CI, Options().plan) == []


@pytest.mark.real
def test_the_searches_in_real_text_are_settings_that_hold_together() -> None:
    for name in NAMED:
        spec = check(composed(settings_in(Options(preset="laptop").plan, name, Path(os.environ["RAG_EVAL_DATA"]))))
        assert spec.mode.name == "retrieval"


# What must hold for a number to say anything

PRESENT, ABSENT = "finding: liver", "liver"


def judged(id: str, arms: Mapping[str, Pool]) -> tuple[str, str]:
    found = judge(CLAIMS[id], results(arms))
    return found.verdict.word, found.reason


def test_what_the_untrained_model_does_not_do_training_cannot_remove() -> None:
    rag, tuned = "rag, json", "finetune, json"
    assert judged("customization/fine-tuning-other-forms", {rag: pool('{"a": 1}', '{"a": 1}'), tuned: pool("x", "x")}) == ("SUPPORTED", "")
    word, reason = judged("customization/fine-tuning-other-forms", {rag: pool("x", "x"), tuned: pool("x", "x")})
    assert word == "INCONCLUSIVE"
    assert reason.startswith("not shown that the untrained model gives JSON more often than training is claimed to remove: 0 [")
    names = ("closed_book, no answer", "finetune, no answer")
    never = {name: pool(0.0, 0.0, ABSTAINS) for name in names}
    assert judged("customization/fine-tuning-refusal", never)[0] == "INCONCLUSIVE"
    lost = {names[0]: pool(1.0, 1.0, ABSTAINS), names[1]: pool(0.0, 0.0, ABSTAINS)}
    assert judged("customization/fine-tuning-refusal", lost) == ("SUPPORTED", "")
    kept = {name: pool(1.0, 1.0, ABSTAINS) for name in names}
    assert judged("customization/fine-tuning-refusal", kept) == ("REFUTED", "")


def test_a_form_that_training_did_not_bring_is_not_compared_with_an_instruction() -> None:
    fields = {"counts": {"kind": "house"}, "not_": {"kind": "house"}}
    arms = {name: pool(ABSENT, ABSENT, **fields) for name in ("finetune, house", "rag, house, instructed")}
    word, reason = judged("customization/rag-form-instructed", arms)
    assert (word, reason.partition(":")[0]) == ("INCONCLUSIVE", "not shown that the trained model gives the house style")
    arms["finetune, house"] = pool(PRESENT, PRESENT, **fields)
    assert judged("customization/rag-form-instructed", arms) == ("SUPPORTED", "")


def test_a_form_that_was_never_learned_neither_stays_out_nor_does_without_its_instruction() -> None:
    fields = {"counts": {"kind": "house"}, "not_": {"kind": "forward"}}
    names = ("finetune, house", "finetune, house, instructed", "finetune_format, house")
    arms = {name: pool(ABSENT, ABSENT, **fields) for name in names}
    for id in ("fine-tuning-form-precision", "fine-tuning-form-depth", "fine-tuning-form-without-facts"):
        assert judged(f"customization/{id}", arms)[0] == "INCONCLUSIVE", id


def test_two_arms_that_both_answer_nothing_are_not_alike() -> None:
    nothing = pool(0.0, 0.0)
    for id, arms in {
        "data-dependency/rag-copies": ("rag", "rag, copies"),
        "adaptability/rag-stale-index-useless": ("rag, changed", "rag_stale, changed", "closed_book, changed"),
        "adaptability/fine-tuning-tailored": ("rag", "finetune"),
    }.items():
        word, reason = judged(id, dict.fromkeys(arms, nothing))
        assert (word, reason[:19]) == ("INCONCLUSIVE", "not shown that rag "), id


def test_a_precondition_whose_arm_was_not_run_is_not_known_to_hold() -> None:
    arms = {name: pool(0.0, 0.0) for name in ("rag_stale, changed", "closed_book, changed")}
    word, reason = judged("adaptability/rag-stale-index-useless", arms)
    assert word == "INCONCLUSIVE"
    assert reason.startswith(
        "not known whether rag answers what has changed from the new documents: rag, changed is not part of this preset"
    )


# What stands beside a number


def test_the_minimum_detectable_effect_stands_beside_every_number_with_an_end() -> None:
    assert detectable(Number(0.5, 0.4, 0.6, 100, 30, mde=0.07)) == 0.07
    flat = number(number_of(mean("rag", EM)({"rag": pool(0.0, 0.0)})))
    assert flat.mde is None
    # 24 clusters: Wilson's upper limit over t of 23 degrees of freedom, times t at 0.975 and at 0.8
    assert detectable(flat) == pytest.approx(flat.high / 2.0687 * (2.0687 + 0.8575), rel=1e-3)
    assert detectable(Number(2.0, 1.5, math.inf, 30)) is None
    assert detectable(Number(2.0, 2.0, 2.0, 30)) == 0.0
    found = judge(CLAIMS["adaptability/rag-not-stale"], results({"rag, changed": both(1.0, 0.0)}))
    assert found.verdict.text == f"INCONCLUSIVE(MDE={found.mde:.2g})"
    assert as_data({"row": [found]}, {"row": []}, CI.measured_on)["rows"][0]["claims"][0]["mde"] == found.mde


def both(right: float, stale: float) -> Pool:
    """An arm with two scores, alike for all questions."""
    whole = pool(right, right)
    return replace(whole, rows={name: {**row, STALE: stale} for name, row in whole.rows.items()})


def test_an_interval_wider_than_the_margin_says_so() -> None:
    found = judge(CLAIMS["data-dependency/rag-copies"], results({"rag": pool(1.0, 1.0), "rag, copies": pool(1.0, 1.0)}))
    assert found.verdict.word == "INCONCLUSIVE"
    assert found.reason.startswith("the 90 % interval is as wide as the margin allows or wider")


def test_a_claim_of_a_trained_arm_says_how_many_trainings_it_rests_on() -> None:
    record = SimpleNamespace(facts=facts("finetune", 100, weights="trained"), estimates={})
    once = replace(pool(1.0, 1.0), records=(record,))
    claim = CLAIMS["adaptability/fine-tuning-tailored"]
    found = judge(claim, results({"rag": pool(1.0, 1.0), "finetune": once}))
    assert (found.n_trainings, found.scope) == (1, "one training: the interval is of its questions only")
    twice = replace(in_worlds(0, 1, em={0: 1.0, 1: 1.0}), records=(record, record))
    found = judge(claim, results({"rag": in_worlds(0, 1, em={0: 1.0, 1: 1.0}), "finetune": twice}))
    assert (found.n_trainings, found.scope) == (2, "")
    assert judge(CLAIMS["data-dependency/rag-coverage"], results({"rag": pool(1.0, 1.0), HALF: pool(0.0, 0.0)})).n_trainings is None
