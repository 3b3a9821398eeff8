"""Percentiles with intervals, and none from too few requests."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scipy.stats import t

from rag_eval.latency.record import Pass
from rag_eval.latency.store import latency_metrics
from rag_eval.latency.summary import summarised, tpot_s, ttft_s, unexplained_s
from rag_eval.stats.interval import Interval
from rag_eval.types import Timing
from tests.latency.test_protocol import TIMING, record


def counting(n: int) -> list[Timing]:
    """Requests that take 1, 2, ... ms."""
    return [replace(TIMING, example_id=f"q{at}", e2e_s=at / 1000, queue_s=0.0) for at in range(1, n + 1)]


def test_the_median_lies_between_order_statistics() -> None:
    # 20 values: ranks 6 and 15 enclose the median in 95.9 % of samples (Conover 1999, table A3).
    assert summarised(record(*counting(20)))["latency/e2e_p50_ms"] == Interval(10.5, 6.0, 15.0, 20, 20)


@pytest.mark.parametrize(("n", "names"), [(5, []), (6, ["p50"]), (58, ["p50"]), (59, ["p50", "p95"]), (298, ["p50", "p95"])])
def test_a_percentile_is_absent_where_too_few_were_asked(n: int, names: list[str]) -> None:
    found = summarised(record(*counting(n)))
    assert [name for name in found if "e2e" in name] == [f"latency/e2e_{name}_ms" for name in names]


def test_299_requests_have_a_99th_percentile() -> None:
    found = summarised(record(*counting(299)))
    assert found["latency/e2e_p95_ms"].value == pytest.approx(284.1)
    assert found["latency/e2e_p99_ms"].value == pytest.approx(296.02)
    assert found["latency/e2e_p99_ms"].high == 299


def test_the_first_token_comes_after_waiting_and_searching_and_the_others_share_the_rest() -> None:
    one = Timing("q", 0, 30, 5, {"embed": 0.01, "search": 0.02, "prompt": 0.03, "prefill": 0.2, "decode": 0.4}, e2e_s=0.8, queue_s=0.1)
    assert ttft_s(one) == pytest.approx(0.36)
    assert tpot_s(one) == pytest.approx(0.1)
    assert unexplained_s(one) == pytest.approx(0.04)
    assert tpot_s(replace(one, n_output_tokens=1)) is None
    whole = replace(one, seconds={"prompt": 0.03, "generate": 0.6})
    assert (ttft_s(whole), tpot_s(whole)) == (None, None)
    assert unexplained_s(whole) == pytest.approx(0.07)


def test_every_stage_has_a_median_and_all_is_in_milliseconds() -> None:
    # TIMING: prefill 0.2 and decode 0.3 s for 4 tokens, 0.25 s of waiting
    found = {name: one.value for name, one in summarised(record(*[TIMING] * 6)).items()}
    assert found == pytest.approx(
        {
            "latency/e2e_p50_ms": 750.0,
            "latency/other_p50_ms": 0.0,
            "latency/prefill_p50_ms": 200.0,
            "latency/decode_p50_ms": 300.0,
            "latency/ttft_p50_ms": 450.0,
            "latency/tpot_p50_ms": 100.0,
        }
    )


def test_waiting_is_told_in_an_open_loop_alone() -> None:
    assert "latency/queue_p50_ms" not in summarised(record(*[TIMING] * 6))
    assert summarised(record(*[TIMING] * 6, scenario="poisson", rate_per_s=1.0))["latency/queue_p50_ms"].value == 250.0


def test_answers_of_one_token_leave_the_time_per_token() -> None:
    short = replace(TIMING, n_output_tokens=1)
    assert summarised(record(*[TIMING] * 6, *[short] * 4))["latency/tpot_p50_ms"].n == 6
    assert "latency/tpot_p50_ms" not in summarised(record(*[TIMING] * 5, *[short] * 5))


def test_throughput_is_a_mean_over_passes() -> None:
    offline = {**record(TIMING).protocol, "scenario": "offline", "n_blocks": 3}
    passes = tuple(Pass(block, 12, 24, seconds) for block, seconds in enumerate((6.0, 4.0, 3.0)))
    found = summarised(replace(record(TIMING), protocol=offline, timings=(), passes=passes))
    half = t.ppf(0.975, 2) / 3**0.5  # of 2, 3 and 4 questions a second: standard deviation 1
    assert found["throughput/queries_per_s"] == Interval(pytest.approx(3.0), pytest.approx(3 - half), pytest.approx(3 + half), 3, 3)
    assert found["throughput/tokens_per_s"].value == pytest.approx(6.0)
    assert len(found) == 2


def test_throughput_of_answers_of_a_forced_length_has_a_name_of_its_own() -> None:
    offline = {**record(TIMING).protocol, "scenario": "offline", "n_blocks": 2, "forced_tokens": None}
    natural = replace(record(TIMING), protocol=offline, timings=(), passes=(Pass(0, 12, 24, 6.0), Pass(1, 12, 24, 4.0)))
    forced = replace(natural, protocol={**offline, "forced_tokens": 64}, passes=(Pass(0, 12, 768, 96.0), Pass(1, 12, 768, 64.0)))
    found = latency_metrics([natural, forced])
    assert found["throughput/tokens_per_s"] == pytest.approx(5.0)
    assert found["throughput_offline_forced_64/tokens_per_s"] == pytest.approx(10.0)
