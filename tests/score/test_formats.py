import math
from typing import Any

import pytest

from rag_eval.score.formats import FORMATS, format_ok, obeys
from rag_eval.types import Example, Grading, Outcome, Prediction

OBEY = {
    "json": ['{"dose": 5}', " [1, 2]\n", "null", '"text"'],
    "integer": ["5", "-3", "1,200", " 7\n"],
    "number": ["5", "-0.5", "1,200.25", ".5", "1e-3"],
    "number_with_unit": ["5 mg", "1,200mg.", "5 %", "3 tablets"],
    "date": ["1994-03-05", "5 March 1994", "05/03/1994", "1994"],
    "one_line": ["Rome", " Rome and Paris.\n"],
    "list": ["Rome, Paris", "Rome and Paris", "- Rome\n- Paris"],
}
DISOBEY = {
    "json": ["{'dose': 5}", '```json\n{"dose": 5}\n```', '{"dose": 5} as asked', "NaN", "[1,]", "[" * 100_000],
    "integer": ["5.0", "5 mg", "five", "1,20", "5."],
    "number": ["5 mg", "5 or 6", "1 in 5", "nan", "inf"],
    "number_with_unit": ["5", "mg", "5 mg or 6 mg", "1 in 5"],
    "date": ["soon", "30 February 1994", "5 March"],
    "one_line": ["Rome\nParis", "Rome\u2028Paris"],
    "list": ["Rome", "Rome,", "1,200"],
}


def cases(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(text, format) for format, texts in table.items() for text in texts]


def said(text: str, outcome: Outcome = "answered") -> Prediction:
    return Prediction("q", text, (), (), (), 0, "", 1, 1, {}, outcome, "stop")


def asked(**demands: Any) -> Example:
    return Example(id="q", question="?", answers=("Rome",), grading=Grading(**demands))


def test_every_format_has_cases() -> None:
    assert list(OBEY) == list(DISOBEY) == list(FORMATS)


@pytest.mark.parametrize(("text", "format"), cases(OBEY))
def test_a_text_of_the_format_obeys(text: str, format: str) -> None:
    assert obeys(text, format)


@pytest.mark.parametrize(("text", "format"), [*cases(DISOBEY), *((text, format) for format in FORMATS for text in ("", " \n"))])
def test_another_text_does_not(text: str, format: str) -> None:
    assert not obeys(text, format)


def test_compliance_is_judged_where_a_format_is_demanded_whatever_the_answer() -> None:
    assert format_ok(said("[1]"), asked(format="json")) == 1.0
    assert format_ok(said("Rome"), asked(format="json")) == 0.0
    assert format_ok(said("[1]", "error"), asked(format="json")) == 0.0
    assert math.isnan(format_ok(said("[1]"), asked()))


@pytest.mark.parametrize("format", ["xml", ["json"]])
def test_an_unknown_format_is_refused_with_the_known_ones(format: Any) -> None:
    with pytest.raises(ValueError, match="expected one of json, integer, number, number_with_unit, date, one_line, list"):
        format_ok(said("1"), asked(format=format))
