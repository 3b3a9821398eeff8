"""The row on scalability: its numbers are those of hand-made sizes and runs, computed by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.effects.trained_arms import BASE, RANKED
from experiments.table.index_sizes import Measured, Sized, name_of, narrowed, random_rows
from experiments.table.presets import PRESETS
from experiments.table.scalability import (
    HALF,
    build_slope,
    claims,
    curves,
    memory_slope,
    one_more_fact,
    recall_at,
    recall_change,
    same_time_with_facts,
    search_slope,
    training_slope,
)
from rag_eval.adapt.training_history import History
from rag_eval.record.load import RecordedRun
from rag_eval.report.claims.claim import Missing, Number
from rag_eval.report.claims.numbers import log_slope
from rag_eval.report.claims.timed import NATURAL
from rag_eval.score.primary import EM
from tests.experiments.pools_of_effects import named
from tests.experiments.table_results import pooled, results, run, timed

CLAIMS = {claim.id: claim for claim in claims(PRESETS["laptop"])}

PRESET = replace(PRESETS["ci"], vectors=(100, 1_000, 10_000))


def sized(n: int, **changes: float | tuple[float, ...]) -> Sized:
    """Exact search takes 1 us a vector, the graph takes twice as long at a hundred times as many, all else grows with the vectors."""
    exact = Measured(n / 1e6, 1_600 * n, (1e-6, 1e-6), (n / 1e6,) * 4, (1.0,) * 4)
    graph = Measured(n / 1e3, 1_800 * n, (0.1, 0.3), (n**0.15 / 1e3,) * 4, (1.0, 0.5, 1.0, 0.5))
    lists = Measured(n / 1e4, 1_600 * n, (1e-6, 1e-6), (n**0.5 / 1e6,) * 4, (1.0, 1.0, 0.9, 0.9) if n < 1_000 else (0.8,) * 4)
    indexes = {"flat": exact, "hnsw": replace(graph, **changes), "ivf": lists}
    return Sized(n, 50, 384, (0, 0, 1, 1), ("a", "a", "b", "b"), indexes)


FOUND = results(work={name_of(n): sized(n) for n in PRESET.vectors})


def number(measured: Number | Missing) -> Number:
    assert isinstance(measured, Number), measured
    return measured


def trained(root: Path, name: str, learn_s: float, n_rows: int) -> RecordedRun:
    """The run of a training."""
    made = run(root, name.replace(",", "").replace(" ", "-"), (1.0, 1.0), [{}, {}], learn_s=learn_s, is_trained=True)
    history = History("epochs", n_rows, 1, 1, 1, 1, 1.0, None, 0, ())
    facts = made.record.facts
    outcomes = replace(facts.outcomes, training=history)
    return replace(made, record=replace(made.record, facts=replace(facts, outcomes=outcomes)))


def test_search_times_have_the_slope_that_they_grow_by() -> None:
    assert number(search_slope("flat", PRESET.vectors, FOUND, "")).mean == pytest.approx(1.0)
    one = number(search_slope("hnsw", PRESET.vectors, FOUND, ""))
    assert (one.mean, one.n, one.n_clusters) == (pytest.approx(0.15), 4, 2)


def test_recall_is_that_of_the_named_index_and_size() -> None:
    one = number(recall_at("hnsw", 10_000, FOUND, ""))
    assert (one.mean, one.n, one.n_clusters) == (0.75, 4, 2)


def test_recall_changes_question_by_question() -> None:
    one = number(recall_change("ivf", 100, 10_000, FOUND, ""))
    assert one.mean == pytest.approx((0.8 + 0.8 - 1.0 - 0.9) / 2)


def test_bytes_in_proportion_have_slope_one_without_error() -> None:
    one = number(memory_slope("hnsw", PRESET.vectors, FOUND, ""))
    assert one.mean == pytest.approx(1.0)
    assert (one.low, one.high, one.low_90, one.high_90) == (one.mean,) * 4


def test_building_has_the_slope_of_a_line_through_all_sizes() -> None:
    seconds = {100: 0.1, 1_000: 2.0, 10_000: 10.0}
    found = results(work={name_of(n): sized(n, build_s=s) for n, s in seconds.items()})
    one = number(build_slope("hnsw", PRESET.vectors, found, ""))
    assert one.mean == pytest.approx(1.0)  # of three points as far apart the ends decide: a hundred times the seconds
    residual = np.log10([0.1, 2.0, 10.0]) - np.log10([0.1, 1.0, 10.0]) - np.log10(2.0) / 3
    half = 12.706 * np.sqrt(float(residual @ residual) / 2)  # Student's t with one degree of freedom; the sizes are 1 apart in log10
    assert (one.low, one.high) == pytest.approx((1.0 - half, 1.0 + half), rel=1e-3)


def test_two_sizes_give_no_interval_of_a_slope() -> None:
    assert isinstance(log_slope({10.0: 1.0, 100.0: 10.0}), Missing)


def test_one_more_fact_is_compared_with_a_vector_more(tmp_path: Path) -> None:
    found = results(pooled({BASE: [trained(tmp_path, BASE, 100.0, 60)]}), FOUND.work)
    one = number(one_more_fact(10_000, found, ""))
    assert (one.mean, one.n, one.n_clusters) == (pytest.approx(100 / 0.2), 2, None)


def test_training_seconds_are_compared_with_rows_world_by_world(tmp_path: Path) -> None:
    seconds = {HALF: (10.0, 10.0), BASE: (20.0, 40.0)}  # twice the rows take twice and four times as long
    arms = {
        arm: [trained(tmp_path / str(world), arm, s, 60 if arm == BASE else 30) for world, s in enumerate(of)]
        for arm, of in seconds.items()
    }
    one = number(training_slope(results(pooled(arms)), ""))
    assert (one.mean, one.n, one.n_clusters) == (pytest.approx(1.5), 2, None)


def test_a_single_training_tells_no_slope(tmp_path: Path) -> None:
    arms = {arm: [trained(tmp_path, arm, 10.0, 30 if arm == HALF else 60)] for arm in (HALF, BASE)}
    assert isinstance(training_slope(results(pooled(arms)), ""), Missing)


def test_twice_the_facts_are_compared_over_questions_about_the_first_half() -> None:
    asked = {"seen": ["entity and attribute", "entity and attribute", "attribute"], "cluster": ["a", "b", "c"]}
    half = named({"0.0/1": 1.0, "0.0/2": 1.0, "0.0/3": 0.0}, **asked)
    whole = named({"0.0/1": 1.0, "0.0/2": 0.0, "0.0/3": 1.0}, **asked)
    one = number(CLAIMS["scalability/fine-tuning-twice-the-facts"].measure(results({HALF: half, BASE: whole}), EM))
    assert (one.mean, one.n, one.n_clusters) == (-0.5, 2, 2)


def test_the_slope_over_ranks_is_a_doubling() -> None:
    scores = dict(zip(RANKED.values(), (0.0, 0.5, 1.0), strict=True))  # ranks 1, 4, 16: half a point by four
    pools = {arm: named({"0.0/1": score, "0.0/2": score}) for arm, score in scores.items()}
    assert number(CLAIMS["scalability/fine-tuning-rank"].measure(results(pools), "")).mean == pytest.approx(0.25)


def test_reading_a_question_with_facts_is_compared_with_reading_it_without() -> None:
    session = {
        BASE: timed(BASE, [{"prefill": 0.2, "decode": 9.0}] * 4, (10,) * 4),
        "closed_book": timed("closed_book", [{"prefill": 0.1, "decode": 1.0}] * 4, (10,) * 4),
    }
    assert number(same_time_with_facts(results(work={NATURAL: session}), "")).mean == pytest.approx(2.0)


def test_curves_have_a_point_a_size() -> None:
    many = {n: sized(n) for n in PRESET.vectors}  # a 95th percentile needs 59 questions
    many = {
        n: replace(one, indexes={name: replace(index, search_s=index.search_s * 15) for name, index in one.indexes.items()})
        for n, one in many.items()
    }
    made = {curve.id: curve for curve in curves(PRESET, results(work={name_of(n): one for n, one in many.items()}))}
    assert set(made) == {"recall-by-vectors", "search-by-vectors", "memory-by-vectors", "building-by-vectors"}
    assert [point.mean for point in made["recall-by-vectors"].series["ivf"]] == pytest.approx([0.95, 0.8, 0.8])
    assert [point.mean for point in made["search-by-vectors"].series["flat"]] == pytest.approx([n / 1e3 for n in PRESET.vectors])
    assert [point.mean for point in made["memory-by-vectors"].series["flat"]] == pytest.approx([1_600 * n / 2**20 for n in PRESET.vectors])


def test_facts_held_by_rank_are_a_curve_where_the_ranks_were_trained() -> None:
    pools = {arm: named({"0.0/1": 1.0, "0.0/2": 0.0}) for arm in RANKED.values()}
    (curve,) = curves(PRESET, results(pools))
    assert [(point.x, point.mean) for point in curve.series["finetune"]] == [(1, 0.5), (4, 0.5), (16, 0.5)]


def test_random_rows_are_unit_rows_that_a_seed_repeats() -> None:
    rows = random_rows(5, 8, 0)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(5), abs=1e-6)
    assert np.array_equal(rows, random_rows(5, 8, 0))
    assert not np.array_equal(rows, random_rows(5, 8, 1))


def test_wide_vectors_are_narrowed_and_keep_their_angles_approximately() -> None:
    one = random_rows(1, 4096, 0)
    near = one + 0.01 * random_rows(1, 4096, 1)
    rows = narrowed(np.concatenate([one, near, random_rows(1, 4096, 2)]))
    assert rows.shape == (3, 96)
    assert rows[0] @ rows[1] > 0.99
    assert abs(rows[0] @ rows[2]) < 0.3
    assert narrowed(one[:, :16]).shape == (1, 16)
