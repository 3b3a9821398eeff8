"""A short answer contains a right one, by the example's comparator."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import pytest

from rag_eval.score.answer import contains, em, em_extracted, f1
from rag_eval.score.comparators import COMPARATORS
from rag_eval.score.containing import contains_answer
from rag_eval.types import Example, Grading, Prediction

PORTS = ["Oslo", "Bergen", "Bergen, Norway", "Molde"]


def asked(*answers: str, choices: Sequence[str] = (), comparator: str = "exact") -> Example:
    return Example(id="q7", question="?", answers=answers, grading=Grading(comparator, tuple(choices)))


def said(text: str) -> Prediction:
    return Prediction("q7", text, (), (), (), 0, "", 1, 1, {}, "answered", "stop")


def test_any_gold_answer_will_do_by_words_or_by_value() -> None:
    example = asked("Ada Lovelace", "2.5 kg")
    assert contains_answer("It was Ada Lovelace who wrote it.", example) == 1.0
    assert contains_answer("About 2,500 g of it.", example) == 1.0
    assert contains_answer("It was Ada Byron.", example) == 0.0
    assert math.isnan(contains_answer("It was Ada Byron.", asked()))


@pytest.mark.parametrize(("n_more", "expected"), [(12, 1.0), (13, 0.0)])
def test_an_answer_longer_than_three_times_gold_and_ten_words_contains_nothing(n_more: int, expected: float) -> None:
    # Gold has one word: thirteen are the limit, and the articles do not count.
    assert contains_answer("The Bergen a " + "x " * n_more, asked("Bergen")) == expected


def test_the_longest_gold_answer_sets_the_limit() -> None:
    text = "Bergen " + "x " * 15
    assert contains_answer(text, asked("Bergen")) == 0.0
    assert contains_answer(text, asked("Bergen", "Bergen in Norway")) == 1.0


def test_two_characters_without_spaces_are_a_word_of_the_limit() -> None:
    # Gold is 1.5 words long: 14.5 words are 29 characters.
    assert contains_answer("滋賀県" + "は" * 26, asked("滋賀県")) == 1.0
    assert contains_answer("滋賀県" + "は" * 27, asked("滋賀県")) == 0.0


def test_an_equal_answer_contains_itself_whatever_its_length() -> None:
    long = "Yes, " + "because it is so " * 20
    assert contains_answer(long, asked("yes", comparator="yes_no_maybe")) == 1.0


def test_saying_that_it_is_not_known_contains_nothing_but_itself() -> None:
    assert contains_answer("There is no information about Ada Lovelace in the context.", asked("Ada Lovelace")) == 0.0
    assert contains_answer("Unknown.", asked("unknown")) == 1.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Nay, it is yes", 0.0),
        ("Yes, it is", 1.0),
        ("No, yes", 0.0),
    ],
)
def test_yes_and_no_are_told_by_the_first_word(text: str, expected: float) -> None:
    assert contains_answer(text, asked("yes", comparator="yes_no_maybe")) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The answer is Bergen.", 1.0),
        ("The answer is (B).", 1.0),
        ("The answer is B", 1.0),
        ("Option B is right", 1.0),
        ("B. Bergen, of course", 1.0),
        ("It is B) Bergen.", 1.0),
        ("It is B) Oslo.", 0.0),  # at odds with itself
        ("Bergen or Oslo", 0.0),
        ("Not Oslo but Bergen", 0.0),  # two are named, and who is meant no rule tells
        ("It is Bergen, Norway.", 0.0),  # another option, in which the words of this one stand
        ("A port", 0.0),
    ],
)
def test_a_choice_names_the_right_option_and_no_other(text: str, expected: float) -> None:
    assert contains_answer(text, asked("Bergen", comparator="choice", choices=PORTS)) == expected


@pytest.mark.parametrize("text", ["**B**", "Answer: **B**", "It's B", "The answer is B because of the fjord.", "The answer is **(B)**."])
def test_a_letter_in_a_frame_names_its_option(text: str) -> None:
    assert contains_answer(text, asked("Bergen", choices=PORTS, comparator="choice")) == 1.0
    assert contains_answer(text, asked("Oslo", choices=PORTS, comparator="choice")) == 0.0
    assert contains_answer(f"{text} Not Oslo.", asked("Bergen", choices=PORTS, comparator="choice")) == 0.0


@pytest.mark.parametrize(
    ("text", "gold", "expected"),
    [
        ("It opened in May 2010.", "2010-05", 1.0),
        ("It opened on 3 May 2010.", "2010-05", 1.0),
        ("It opened on 3 June 2010.", "2010-05", 0.0),
        ("It was 2010-05.", "2010", 1.0),
        ("It opened in 2010.", "2010-05", 0.0),
        ("It opened on 05/06/2010.", "5 June 2010", 0.0),  # or 6 May
    ],
)
def test_where_a_date_is_asked_for_a_month_is_told_in_any_way(text: str, gold: str, expected: float) -> None:
    assert contains_answer(text, asked(gold, comparator="date")) == expected


def test_an_option_is_named_where_another_stands_inside_its_words() -> None:
    example = asked("Bergen, Norway", comparator="choice", choices=PORTS)
    assert contains_answer("It is Bergen, Norway.", example) == 1.0
    assert contains_answer("It is Bergen.", example) == 0.0


def test_options_that_are_single_letters_are_named_by_themselves() -> None:
    example = asked("A", comparator="choice", choices=["B", "A", "AB"])
    assert contains_answer("The blood group is A.", example) == 1.0
    assert contains_answer("The blood group is B.", example) == 0.0


def test_a_list_contains_every_item_of_one_gold_list() -> None:
    example = asked("Oslo, Molde and 1,200 m", comparator="set")
    assert contains_answer("These are 1.2 km, Molde, Oslo and Bergen", example) == 1.0
    assert contains_answer("These are Molde and Oslo", example) == 0.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('Here it is: {"ok": true, "n": 1}.', 1.0),
        ('```json\n{"n": 1.0, "ok": true}\n```', 1.0),
        ('Here it is: {"ok": 1, "n": 1}.', 0.0),  # 1 is not true
        ('Here it is: {"ok": true, "n": 1, "more": {"ok": true, "n": 1}}.', 0.0),  # inside another value
        ("ok is true, n is 1", 0.0),
        ("{[{[{", 0.0),
    ],
)
def test_json_contains_an_equal_value(text: str, expected: float) -> None:
    assert contains_answer(text, asked('{"ok": true, "n": 1}', comparator="json")) == expected


def test_numbers_and_dates_are_contained_by_value() -> None:
    assert contains_answer("It takes 2.5 kg of it", asked("2,500 g", comparator="number")) == 1.0
    assert contains_answer("It takes 2.5 m of it", asked("2,500 g", comparator="number")) == 0.0
    assert contains_answer("It was on 2 June 1987, a Tuesday", asked("1987-06-02", comparator="date")) == 1.0


@pytest.mark.parametrize("name", COMPARATORS)
def test_what_equals_is_contained(name: str) -> None:
    gold = {"number": "1 g", "date": "1994", "set": "x, y", "yes_no_maybe": "yes", "choice": "A", "json": "true"}.get(name, "It was so")
    example = asked(gold, comparator=name, choices=["x", "y"])
    assert [metric(said(gold), example) for metric in (em, em_extracted, contains)] == [1.0] * 3


def test_a_thousand_answers_are_scored_in_seconds() -> None:
    example = asked("2,500 g", "Ada Lovelace", "2 June 1987")
    texts = [f"Based on the context, it was ferry {at} that took 1.2 kg on 3 June 1988." for at in range(1000)]
    start = time.process_time()
    assert sum(metric(said(text), example) for text in texts for metric in (em, em_extracted, contains, f1)) < 1000
    assert time.process_time() - start < 3
