"""Numbers in English words."""

from __future__ import annotations

import pytest

from rag_eval.text.number_words import read_number_words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seven swans", (7, 1)),
        ("forty two", (42, 2)),
        ("three hundred", (300, 2)),
        ("three hundred and six days", (306, 4)),
        ("two thousand and ten", (2010, 4)),
        ("six million four hundred thousand two", (6_400_002, 6)),
        ("one and two", (1, 1)),  # two numbers
        ("five six", (5, 1)),
        ("seven and eight thousand", (7, 1)),
        ("two and", (2, 1)),
        ("hundred", None),  # of how many it does not say
        ("million", None),
        ("third", None),
        ("", None),
    ],
)
def test_a_number_in_words_is_read_as_far_as_it_goes(text: str, expected: tuple[float, int] | None) -> None:
    assert read_number_words(text.split()) == expected
