"""What a row demands of its scoring becomes typed, back again it is the same, and what no scorer understands is refused."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from rag_eval.data.rows.grading import KEYS, grading_of
from rag_eval.fingerprint import fingerprint
from rag_eval.score.comparators import COMPARATORS
from rag_eval.score.formats import FORMATS
from rag_eval.types import COMPARATOR_NAMES, FORMAT_NAMES, Example, Grading, Span

PLAIN: dict[str, Any] = {
    "comparator": "number",
    "choices": ["1 g", "2 g"],
    "format": "number_with_unit",
    "stale_answers": ["3 g"],
    "misleading_answers": ["4 g"],
    "same_as": {"d7": ["d2"]},
    "spans": [{"source": "d", "start": 1, "end": 3}],
    "as_of": "2020-01-01",
    "grades": {"d2": 2},
    "itself": ["d9"],
}
TYPED = Grading(
    comparator="number",
    choices=("1 g", "2 g"),
    format="number_with_unit",
    stale_answers=("3 g",),
    misleading_answers=("4 g",),
    same_as={"d7": ("d2",)},
    spans=(Span("d", 1, 3),),
    as_of="2020-01-01",
    grades={"d2": 2},
    itself=("d9",),
)


def test_demands_are_told_from_what_else_a_row_says() -> None:
    assert grading_of({**PLAIN, "kind": "x", "own": [1]}) == (TYPED, {"kind": "x", "own": [1]})
    assert set(PLAIN) == set(KEYS)
    assert grading_of({"kind": "x"}) == (Grading(), {"kind": "x"})
    assert grading_of({"retrieval_only": True}) == (Grading(retrieval_only=True), {})


def test_demands_become_the_meta_of_a_row_again() -> None:
    assert grading_of({key: _listed(value) for key, value in TYPED.as_meta().items()})[0] == TYPED
    assert Grading().as_meta() == {}
    assert Grading(choices=("a",), retrieval_only=True).as_meta() == {"choices": ("a",), "retrieval_only": True}


def _listed(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, dict):
        return {key: _listed(one) for key, one in value.items()}
    return list(map(_listed, value)) if isinstance(value, tuple) else value


@pytest.mark.parametrize(
    ("meta", "said"),
    [
        (
            {"stale_answer": ["x"]},
            "stale_answer is no key that scoring knows; did you mean stale_answers\? Rename it if it is something else.",
        ),
        ({"comparator": None}, "comparator is None; expected one of exact, number, date, set, yes_no_maybe, json, choice."),
        ({"comparator": ["date"]}, r"comparator is \['date'\]; expected one of exact"),
        ({"format": "xml"}, "format is 'xml'; expected one of json, integer"),
        ({"choices": []}, r"choices must be a list of texts but is \[\]."),
        ({"misleading_answers": ["x", ""]}, "misleading_answers must be a list of texts but is"),
        ({"same_as": {"d7": []}}, r'same_as must be an object such as \{"d7": \["d2"\]\} but is'),
        ({"grades": {"d1": True}}, r'grades must be an object of numbers above 0 such as \{"d7": 2\} but is'),
        ({"itself": "d1"}, "itself must be a list of ids but is 'd1'."),
        ({"spans": "d"}, "spans must be a list but is 'd'."),
        ({"spans": [{"source": "d", "start": 5, "end": 5}]}, "a span must have 0 <= start < end but has start 5 and end 5."),
    ],
)
def test_what_no_scorer_understands_is_refused_in_one_line(meta: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        grading_of(meta)
    assert "\n" not in str(refused.value)


def test_a_dataset_is_known_by_its_rows_as_they_stand_in_files() -> None:
    example = Example("q", "What?", ("1 g",), ("d1",), "c", meta={"kind": "x"}, grading=TYPED)
    row = {"id": "q", "question": "What?", "answers": ["1 g"], "evidence": ["d1"], "cluster": "c", "history": []}
    line = json.dumps({"test": {**row, "meta": {"kind": "x", **PLAIN}}}, sort_keys=True, separators=(",", ":"))
    assert fingerprint((), (), (), (example,)) == hashlib.sha256(f"{line}\n".encode()).hexdigest()


def test_a_row_may_name_every_comparator_and_every_format_that_scoring_has_and_no_other() -> None:
    assert list(COMPARATOR_NAMES) == list(COMPARATORS)
    assert list(FORMAT_NAMES) == list(FORMATS)
