"""The difference between two arms follows from their parts, and where it does not, that is noticed."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from rag_eval.latency.model import LatencyModel, agrees, fit, is_told_from_0, measured_gap, predicted_gap
from rag_eval.types import Estimate, Timing

TRUE = LatencyModel(a=5e-3, b=2e-5, c=3e-9, d=8e-3, e=2e-6)


def timings(n_mean: int, n_out: int, before: dict[str, float], noise: float = 0.0, seed: int = 0, overhead_s: float = 0.0) -> list[Timing]:
    """Sixty answers of an arm in six blocks, as the model has them, prefill and decode each off by some share."""
    draw = np.random.default_rng(seed)
    found = []
    for at in range(60):
        n = int(n_mean + draw.integers(-n_mean // 4, n_mean // 4))
        off = 1 + noise * draw.normal(size=2)
        seconds = {
            **before,
            "prefill": float(off[0] * (TRUE.a + TRUE.b * n + TRUE.c * n * n)),
            "decode": float(off[1] * (TRUE.d + TRUE.e * n) * (n_out - 1)),
        }
        found.append(Timing(f"q{at}", at // 10, n, n_out, seconds, e2e_s=sum(seconds.values()) + overhead_s))
    return found


RAG = {"embed": 4e-3, "search": 2e-3, "rerank": 3e-3, "prompt": 1e-3}
LONG, SHORT = timings(2000, 12, RAG, seed=1), timings(200, 20, {"prompt": 1e-4}, seed=2)


def test_the_constants_of_prefill_and_decoding_are_found_from_the_timings_of_all_arms() -> None:
    found = fit([*LONG, *SHORT])
    assert list(vars(found).values()) == pytest.approx(list(vars(TRUE).values()), rel=1e-6)


def test_no_constant_is_negative() -> None:
    falling = [Timing(f"q{n}", 0, n, 2, {"prefill": 1.0 - n / 1000, "decode": 0.1}, e2e_s=1.0) for n in range(1, 101)]
    found = fit(falling)
    assert found.a == pytest.approx(1.0 - 50.5 / 1000)  # the mean: nothing may fall with the length
    assert (found.b, found.c) == (0, 0)


def test_an_answer_of_one_token_says_nothing_of_further_ones() -> None:
    one = Timing("q", 0, 100, 1, {"prefill": 0.1, "decode": 0.02}, e2e_s=0.12)
    assert (fit([one]).d, fit([one]).e) == (0.0, 0.0)
    found = fit([one, replace(one, n_output_tokens=3, seconds={"prefill": 0.1, "decode": 0.4})])
    assert found.d + found.e * 100 == pytest.approx(0.2)


def test_the_predicted_gap_is_the_sum_of_its_parts() -> None:
    few = [Timing("q", 0, 100, 5, {"prompt": 0.001, "prefill": 0.0, "decode": 0.0}, e2e_s=0.0)]
    many = [Timing("q", 0, 1100, 3, {"embed": 0.01, "search": 0.02, "rerank": 0.03, "prompt": 0.002, "prefill": 0.0, "decode": 0.0}, 0.0)]
    parts = 0.01 + 0.02 + 0.03 + 0.001 + TRUE.b * 1000 + TRUE.c * (1100**2 - 100**2)
    parts += 2 * (TRUE.d + TRUE.e * 1100) - 4 * (TRUE.d + TRUE.e * 100)
    assert predicted_gap(TRUE, many, few) == pytest.approx(parts)
    assert predicted_gap(TRUE, few, many) == pytest.approx(-parts)


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_timings_that_are_what_the_model_says_agree(noise: float) -> None:
    arm, other = timings(2000, 12, RAG, noise, 1), timings(200, 12, {"prompt": 1e-4}, noise, 2)
    measured = measured_gap(arm, other)
    assert measured is not None
    assert agrees(predicted_gap(fit([*arm, *other]), arm, other), measured)


def test_seconds_that_no_stage_explains_are_noticed() -> None:
    arm, other = timings(2000, 12, RAG, seed=1, overhead_s=0.02), timings(200, 12, {"prompt": 1e-4}, seed=2)
    measured = measured_gap(arm, other)
    assert measured is not None
    assert not agrees(predicted_gap(fit([*arm, *other]), arm, other), measured)


def test_gaps_are_paired_by_question_and_waiting_is_no_part_of_them() -> None:
    arm = [Timing(f"q{at}", at // 2, 1, 1, {}, e2e_s=3.0 + at, queue_s=1.0) for at in range(6)]
    other = [Timing(f"q{at}", at // 2, 1, 1, {}, e2e_s=1.5 + at, queue_s=0.0) for at in reversed(range(6))]
    gap = measured_gap(arm, other)
    assert gap is not None
    assert (gap.mean, gap.n, gap.n_clusters) == (0.5, 6, 3)
    assert math.isnan(gap.low)  # equal gaps have no interval
    assert is_told_from_0(gap)
    assert not is_told_from_0(replace(gap, mean=0.0))
    assert measured_gap([arm[0]], [other[5]]) is None  # a single block tells nothing of drift
    with pytest.raises(ValueError, match="answered different questions"):
        measured_gap(arm, other[1:])


def test_agreement_is_ten_percent_of_a_gap_and_the_interval_where_there_is_none() -> None:
    gap, none = Estimate(1.0, 0.7, 1.3, 60, 6), Estimate(0.01, -0.02, 0.04, 60, 6)
    assert [agrees(at, gap) for at in (0.89, 0.91, 1.09, 1.11)] == [False, True, True, False]
    assert [agrees(at, none) for at in (-0.03, -0.01, 0.03, 0.05)] == [False, True, True, False]
    behind = Estimate(-1.0, -1.3, -0.7, 60, 6)
    assert [agrees(at, behind) for at in (-1.11, -1.05, 1.0)] == [False, True, False]


def test_without_the_time_of_the_first_token_there_is_no_model() -> None:
    with pytest.raises(ValueError, match="prefill and decode"):
        fit([Timing("q", 0, 10, 3, {"generate": 0.1}, e2e_s=0.1)])
    with pytest.raises(ValueError, match="prefill and decode"):
        fit([])
