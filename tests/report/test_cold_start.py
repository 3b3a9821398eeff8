"""What a cold start took is told of the arms that had one."""

from __future__ import annotations

from rag_eval.latency.record import CONDITIONS, ColdStart, LatencyRecord
from rag_eval.report.cold_start import cold_start_rows
from rag_eval.types import Timing

TIMINGS = (Timing("q1", 0, 40, 2, {"prefill": 0.1, "decode": 0.4}, 0.5),)


def measured(arm: str, cold_start: ColdStart | None) -> LatencyRecord:
    state = "warm" if cold_start is None else "cold"
    protocol = dict.fromkeys(CONDITIONS) | {"scenario": "single_stream", "n_queries": 1, "n_blocks": 1, "cache_state": state}
    return LatencyRecord(protocol, arm, arm, "s1", TIMINGS, cold_start=cold_start)


def test_an_arm_without_a_cold_start_is_not_measured_beside_one_that_had_one() -> None:
    rows = cold_start_rows([measured("rag", ColdStart(2.0, 1.0)), measured("finetune", None)])
    assert [(title, *map(str, figures)) for title, figures in rows] == [
        ("cold start: load s", "2.000", "not measured"),
        ("cold start: first question s", "1.000", "not measured"),
    ]


def test_without_any_cold_start_there_are_no_rows() -> None:
    assert cold_start_rows([measured("rag", None)]) == []
