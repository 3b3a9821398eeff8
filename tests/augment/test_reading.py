"""What a model writes is read strictly, and what cannot be read is counted."""

from __future__ import annotations

import pytest

from rag_eval.augment.parse import QuestionAnswer, read_pairs

NILE = QuestionAnswer("Where is the Nile?", "Egypt")
RHINE = QuestionAnswer("Where is the Rhine?", "Germany")
JSON = '{"question": "Where is the Nile?", "answer": "Egypt"}'
OTHER = '{"question": "Where is the Rhine?", "answer": "Germany"}'


@pytest.mark.parametrize(
    "reply",
    [
        f"{JSON}\n{OTHER}",
        f"```json\n{JSON}\n{OTHER}\n```",
        f"[{JSON},\n {OTHER}]",
        f"{JSON},\n{OTHER}",
        "Q: Where is the Nile?\nA: Egypt\n\nQ: Where is the Rhine?\nA: Germany",
        "1. Question: Where is the  Nile?\nAnswer: Egypt\n2) Question: Where is the Rhine?\nAnswer: Germany",
    ],
)
def test_json_and_lines_of_questions_and_answers_are_read(reply: str) -> None:
    assert read_pairs(reply) == ([NILE, RHINE], 0)


def test_an_answer_may_hold_what_separates_lines_in_unicode() -> None:
    pairs, n_malformed = read_pairs(OTHER + "\r\n" + JSON.replace("Egypt", "Lower\u2028Egypt"))
    assert ([pair.question for pair in pairs], n_malformed) == ([RHINE.question, NILE.question], 0)


@pytest.mark.parametrize(
    ("reply", "n_malformed"),
    [
        (f"Here are your questions:\n{JSON}", 1),
        (f'{JSON}\n{{"question": "Where is the Rh', 1),
        (f'{JSON}\n{{"question": "Where is it?"}}', 1),
        (f'{JSON}\n{{"question": "Where is it?", "answer": 7}}', 1),
        (f'{JSON}\n{{"question": "Where is it?", "answer": "The ..."}}', 1),
        (f'{JSON}\n{{"question": "Where is it?", "answer": "unknown"}}', 1),
        (f'{JSON}\n{{"question": "Where is it?", "answer": "\\ud800"}}', 1),
        (f"{JSON}\nQ: Where is it?\nQ: And this?", 2),
    ],
)
def test_what_is_no_pair_is_counted_and_left_out(reply: str, n_malformed: int) -> None:
    assert read_pairs(reply) == ([NILE], n_malformed)


def test_a_reply_without_any_pair_counts_as_one_malformed_part() -> None:
    assert read_pairs(" \n") == ([], 1)
    assert read_pairs("unknown") == ([], 1)
    assert read_pairs("[]") == ([], 1)
