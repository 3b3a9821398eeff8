"""What no reader of a format makes, but a text may hold."""

from __future__ import annotations

from rag_eval.data.formats.raised import DOWN, END, UP, plain, raised, unmarked


def test_characters_that_could_be_taken_for_marks_go() -> None:
    assert unmarked(f"a{UP}b{DOWN}c{END}") == "abc"
    assert plain(f"a{UP}b") == "ab"


def test_a_number_that_follows_a_raised_one_stands_apart() -> None:
    assert plain(f"10{raised('6')}5") == "10^6 5"


def test_nothing_but_blanks_is_not_raised() -> None:
    assert plain(f"a{raised(' ')}b") == "a b"
