"""The whole way with a language model: stages, forced lengths, and a record that survives."""

from __future__ import annotations

import pytest

from rag_eval.generate.hf import HF
from rag_eval.latency.measure import measure
from rag_eval.latency.model import fit, measured_gap, predicted_gap
from rag_eval.latency.record import LatencyRecord
from rag_eval.latency.summary import summarised
from rag_eval.record.serialize import from_line, to_line
from rag_eval.testing.models import write_random_model
from tests.claims import every
from tests.latency.systems import QUESTIONS, echo, protocol, rag

RUNS = {"closed_book": "c0", "rag": "r0"}


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[LatencyRecord]:
    folder = tmp_path_factory.mktemp("latency")
    model = str(write_random_model(folder / "model"))

    def hf() -> HF:
        return HF(model, "float32", "cpu", max_new_tokens=8, token_budget=1024)

    arms = {"closed_book": echo(generator=hf()), "rag": rag(folder / "cache", hf())}
    return measure(arms, QUESTIONS, protocol(forced_tokens=6), "s1", RUNS)


def test_the_stages_are_told_apart_and_add_up(records: list[LatencyRecord]) -> None:
    closed_book, rag_ = records
    assert {tuple(one.seconds) for one in closed_book.timings} == {("prompt", "prefill", "decode")}
    assert {tuple(one.seconds) for one in rag_.timings} == {("embed", "search", "prompt", "prefill", "decode")}
    for record in records:
        assert every(min(one.seconds.values()) > 0 for one in record.timings)
        assert every(0.5 * one.e2e_s < sum(one.seconds.values()) <= one.e2e_s for one in record.timings)


def test_every_answer_has_the_forced_length_and_the_conditions_the_dtype(records: list[LatencyRecord]) -> None:
    assert {one.n_output_tokens for record in records for one in record.timings} == {6}
    assert {record.protocol["dtype"] for record in records} == {"float32"}


def test_records_survive_json(records: list[LatencyRecord]) -> None:
    assert [from_line(LatencyRecord, to_line(record)) for record in records] == records


def test_the_first_token_and_the_others_have_percentiles_and_a_model(records: list[LatencyRecord]) -> None:
    closed_book, rag_ = (record.timings for record in records)
    for record in records:
        assert {"latency/e2e_p50_ms", "latency/ttft_p50_ms", "latency/tpot_p50_ms"} <= set(summarised(record))
    model = fit([*closed_book, *rag_])
    assert model.d + model.e > 0
    assert predicted_gap(model, rag_, closed_book) == pytest.approx(-predicted_gap(model, closed_book, rag_), rel=1e-9)
    measured = measured_gap(rag_, closed_book)
    assert measured is not None
    assert measured.n == 12
