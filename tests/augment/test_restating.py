"""A restatement keeps the names and numbers of its passage."""

from __future__ import annotations

import pytest

from rag_eval.augment.paraphrase import keeps_names

PASSAGE = "The river rises in Uganda. It reaches Egypt after 6,650 km, says Dr. Baker."  # Uganda, Egypt, 6,650, Dr, not Baker after a stop


@pytest.mark.parametrize(
    ("text", "is_kept"),
    [
        ("From Uganda to Egypt it flows.", True),
        ("After 6650 km it is in Egypt.", True),
        ("After a long way it is in Egypt.", False),
        ("The protein of AR8VM is pampamin.", False),
    ],
)
def test_half_of_the_names_and_numbers_is_enough(text: str, is_kept: bool) -> None:
    assert keeps_names(PASSAGE, text) is is_kept


def test_an_article_is_no_name_to_keep() -> None:
    assert keeps_names("Whoever pays asks for The form, A form or An form.", "Those who pay ask for a form.")


def test_a_passage_without_names_asks_for_nothing() -> None:
    assert keeps_names("Refunds are paid at once.", "Whoever returns goods is paid.")
