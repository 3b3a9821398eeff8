"""What stands in the frame of an answer, as models word it, and what is left alone."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from rag_eval.replay.lara import lara_rows
from rag_eval.score.answer import em, em_extracted, f1, f1_extracted
from rag_eval.score.frames import extracted
from rag_eval.types import Example, Grading, Prediction
from tests.claims import every

SMOLLM2 = Path(__file__).parent / "abstention" / "smollm2.jsonl"


def said(text: str) -> Prediction:
    return Prediction("q", text, (), (), (), 0, "", 1, 1, {}, "answered", "stop")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The answer is: Bergen.", "Bergen"),
        ("The final answer is Bergen", "Bergen"),
        ("The correct answer to the question is Bergen, because it rains there.", "Bergen"),
        ("Answer: Bergen\nIt is the rainiest of them.", "Bergen"),
        ("**Answer:**\nBergen", "Bergen"),
        ("Bergen is the correct answer.", "Bergen"),
        ("Mr. Holm is the answer.", "Mr. Holm"),
        ("It rains in Oslo. It rains more in Bergen. So the answer is Bergen.", "Bergen"),  # the conclusion
        ("The answer is Oslo. Wait. The answer is Bergen.", "Bergen"),
        (r"Twice 21, so \boxed{42}.", "42"),
        ("It was Bergen.", "Bergen"),
        ("It's Bergen.", "Bergen"),
        ("Based on the context, the rainiest port is Bergen.", "Bergen"),
        ("According to the documents, Bergen", "Bergen"),
        ("According to the passage, the port is called Bergen, which is in Norway.", "Bergen"),
        ("The man who was mayor in 1987 is Holm.", "Holm"),
        ("The port is Bergen. It has 290,000 inhabitants.", "Bergen"),
        ("**Bergen**", "Bergen"),
        ("He was born in **Bergen** in 1950.", "Bergen"),
        ("“Bergen”", "Bergen"),
        ("`Bergen`", "Bergen"),
        ('```json\n{"port": "Bergen"}\n```', '{"port": "Bergen"}'),
        ('The ship is called "Fram".', "Fram"),
    ],
)
def test_the_frame_is_taken_off(text: str, expected: str) -> None:
    assert extracted(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Bergen",
        "Bergen, Norway",
        "the 5th of May",
        "From Bergen to Oslo",
        "Is it Bergen?",
        "'Peer Gynt' and 'Brand'",
        "There are two ports",
        "He sailed **north** and **west**",
        "",
    ],
)
def test_what_has_no_frame_is_left_as_it_is(text: str) -> None:
    assert extracted(text) == text


def test_what_a_sentence_denies_is_no_answer() -> None:
    for text in ("It is not true that the port is Bergen.", "Nobody says that it is Bergen", "The port isn't Bergen"):
        assert em_extracted(said(text), Example("q", "?", ("Bergen",))) == 0.0


def test_plain_scores_never_change_and_the_others_are_never_lower() -> None:
    framed, example = said("The answer is: Bergen."), Example("q", "?", ("Bergen",))
    assert (em(framed, example), em_extracted(framed, example)) == (0.0, 1.0)
    assert f1(framed, example) == pytest.approx(2 / 4)
    assert f1_extracted(framed, example) == 1.0
    sentence = Example("q", "?", ("It was so",))  # gold that looks like a frame
    assert em_extracted(said("It was so"), sentence) == f1_extracted(said("It was so"), sentence) == 1.0


def test_comparators_read_what_the_frame_holds() -> None:
    for text, gold, grading in (
        ("It takes long: the answer is **2.5 kg**.", "2,500 g", Grading("number")),
        ("The correct answer is (B) Bergen.", "Bergen", Grading("choice", ("Oslo", "Bergen"))),
        ("The answer is yes, because it is.", "yes", Grading("yes_no_maybe")),
    ):
        assert em_extracted(said(text), Example("q", "?", (gold,), grading=grading)) == 1.0


# By hand, of the answers of SmolLM2-135M-Instruct that stand in smollm2.jsonl.
BY_SMOLLM2 = {
    "The answer to this question is: Siad.": "Siad",
    'The answer to this question is: "Over the past decade"': "Over the past decade",
    'The answer is: "electric engines"': "electric engines",
    "The answer is: 1901": "1901",
    "The answer is: 2022-01-01. The answer is 2022-01-01.": "2022-01-01",
    "The answer is: 1 in 1,000.": "1 in 1,000",
    "The answer is: Dansufor disease is approved for Pamfisen disease.": "Dansufor disease is approved for Pamfisen disease",
}


def test_answers_of_smollm2_are_read() -> None:
    recorded = {json.loads(line)["answer"] for line in SMOLLM2.read_text(encoding="utf-8").splitlines()}
    assert recorded >= BY_SMOLLM2.keys()
    assert {text: extracted(text) for text in BY_SMOLLM2} == BY_SMOLLM2


@pytest.mark.real
def test_what_real_models_say_in_a_sentence_is_read_out_of_it() -> None:
    if "RAG_EVAL_DATA" not in os.environ:
        pytest.skip("the environment variable RAG_EVAL_DATA names no folder of real data")
    scores = {}
    for model in ("gpt-4o", "llama-3.2-3b", "mistral-nemo"):
        rows = [
            row for row in lara_rows(f"{os.environ['RAG_EVAL_DATA']}/lara_predictions", "rag", model) if isinstance(row.prediction, str)
        ]
        examples = [Example(row.id, row.question, (row.gold,)) for row in rows]
        plain, read = (
            [metric(said(row.prediction), one) for row, one in zip(rows, examples, strict=True)] for metric in (em, em_extracted)
        )
        assert every(after >= before for before, after in zip(plain, read, strict=True))
        scores[model] = (round(sum(plain)), round(sum(read)), len(rows))
    assert scores == {"gpt-4o": (25, 76, 487), "llama-3.2-3b": (58, 71, 487), "mistral-nemo": (110, 111, 487)}
