"""A timing is worth nothing without the conditions it was taken under."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from rag_eval.config.signature import signature
from rag_eval.errors import ConfigError
from rag_eval.latency.protocol import LatencyProtocol
from rag_eval.latency.record import CONDITIONS, ColdStart, LatencyRecord, Pass
from rag_eval.record.serialize import from_line, to_line
from rag_eval.types import Timing
from tests.latency.systems import protocol

CONF = sorted((Path(__file__).parents[2] / "conf" / "latency").rglob("*.yaml"))
TIMING = Timing("q", 0, 30, 4, {"prefill": 0.2, "decode": 0.3}, e2e_s=0.75, queue_s=0.25)


def record(*timings: Timing, **changes: Any) -> LatencyRecord:
    fields = protocol(n_queries=max(3, len(timings)), **changes).fields()
    run = {"n_queries": len(timings), "interleaved_with": ["rag"], "device": "cpu", "dtype": "float32", "threads": 2}
    return LatencyRecord({**fields, **run}, "finetune", "0123", "s1", timings)


def test_every_condition_is_recorded_and_none_may_be_missing() -> None:
    whole = record(TIMING)
    assert set(whole.protocol) == set(CONDITIONS)
    for name in CONDITIONS:
        with pytest.raises(ValueError, match=f"missing: {name}"):
            replace(whole, protocol={key: value for key, value in whole.protocol.items() if key != name})


def test_an_offline_record_says_nothing_of_single_questions() -> None:
    offline = {**record(TIMING).protocol, "scenario": "offline", "n_blocks": 1}
    passes = (Pass(0, 1, 4, 0.5),)
    assert replace(record(TIMING), protocol=offline, timings=(), passes=passes).passes == passes
    with pytest.raises(ValueError, match="expected 0 timings and 1 passes, got 1 and 1"):
        replace(record(TIMING), protocol=offline, passes=passes)
    with pytest.raises(ValueError, match="expected 1 timings and 0 passes, got 0 and 0"):
        replace(record(TIMING), timings=())


def test_a_cold_start_is_there_where_it_was_asked_for_and_only_there() -> None:
    cold = {**record(TIMING).protocol, "cache_state": "cold"}
    assert replace(record(TIMING), protocol=cold, cold_start=ColdStart(2.0, 1.0)).cold_start == ColdStart(2.0, 1.0)
    with pytest.raises(ValueError, match="cache_state=cold, got cold"):
        replace(record(TIMING), protocol=cold)
    with pytest.raises(ValueError, match="cache_state=cold, got warm"):
        replace(record(TIMING), cold_start=ColdStart(2.0, 1.0))


def test_a_record_survives_json() -> None:
    whole = record(TIMING, replace(TIMING, example_id="r"))
    assert from_line(LatencyRecord, to_line(whole)) == whole


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"scenario": "poisson"}, "poisson needs a rate"),
        ({"rate_per_s": 2.0}, "the others have none"),
        ({"scenario": "offline", "forced_tokens": 32}, "forced_tokens=32 is for single requests"),
        ({"n_blocks": 13}, "n_blocks=13 is more than latency.n_queries=12"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        protocol(**changes)


def test_only_single_requests_have_a_batch_of_one() -> None:
    assert protocol().fields()["batch_size"] == protocol(scenario="poisson", rate_per_s=1.0).fields()["batch_size"] == 1
    assert protocol(scenario="offline").fields()["batch_size"] is None


def test_every_file_of_the_configuration_is_a_protocol() -> None:
    assert [path.stem for path in CONF] == ["default", "offline", "poisson"]
    for path in CONF:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
        target = given.pop("_target_")
        model = signature(target).model
        assert model is not None
        model.model_validate(given)
        assert list(LatencyProtocol(**given).fields())[: len(given)] == list(given)
    with pytest.raises(ValueError, match="n_blocks"):
        model.model_validate({**given, "n_blocks": 1})
