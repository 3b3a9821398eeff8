"""A number agrees with its noun."""

from __future__ import annotations

import pytest

from rag_eval.text.counted import counted


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 passes"), (1, "1 pass"), (1.0, "1 pass"), (2, "2 passes"), (2.5, "2.5 passes"), (12000, "12,000 passes")],
)
def test_a_number_of_one_has_a_noun_of_one(number: float, said: str) -> None:
    assert counted(number, "pass", "passes") == said
