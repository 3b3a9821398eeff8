import json
import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_eval.score.comparators import COMPARATORS, compare, gold_options, option_of
from rag_eval.types import Example, Grading

CITIES = ["Rome", "Paris", "New York", "Oslo"]


def asked(comparator: str, *answers: str, choices: Sequence[str] = ()) -> Example:
    return Example(id="q7", question="?", answers=answers, grading=Grading(comparator, tuple(choices)))


@pytest.mark.parametrize(
    ("gold", "text", "expected"),
    [
        ("1.2 g", "1,200 mg", 1.0),
        ("1.2 g", "1200mg.", 1.0),
        ("1.2 g", "1.2 grams", 1.0),
        ("1.2 g", "1200 Mg", 0.0),  # megagrams
        ("1.2 g", "12 g", 0.0),
        ("1.2 g", "1.2", 0.0),  # the unit is missing
        ("1.2 g", "1.2 m", 0.0),
        ("1.2 g", "1.2 g or 1.3 g", 0.0),
        ("1.2 g", "less than 1.2 g", 0.0),
        ("1.2 g", "", 0.0),
        ("5 µg", "5 ug", 1.0),
        ("5 µg", "0.005 milligram", 1.0),
        ("90 min", "1.5 Hours", 1.0),
        ("2 weeks", "14 d", 1.0),
        ("2 years", "24 months", 1.0),
        ("1 year", "365 days", 0.0),  # not every year
        ("3 km", "3e3 metres", 1.0),
        ("0.5 L", "50 cl", 1.0),
        ("5 %", "5 per cent", 1.0),
        ("5 %", "0.05", 0.0),
        ("3 tablets", "3 Tablets", 1.0),  # a unit of no table
        ("3 tablets", "3 capsules", 0.0),
        ("5 m/s", "5 ms", 0.0),
        ("1 in 100,000", "1 in 100 000", 0.0),  # a plain space could part two numbers
        ("1 in 100,000", "1 in 100\u00a0000", 1.0),
        ("1 in 100,000", "2 in 200000", 1.0),
        ("1 in 100,000", "100,000", 0.0),
        ("1,200", "1200.0", 1.0),
        ("1,200", "1,2", 0.0),  # no thousands
        ("1,200", "1,2000", 0.0),
        ("-3", "\u22123", 1.0),
        ("1", "1 in 0", 0.0),
        ("1", "1e999", 0.0),
    ],
)
def test_numbers_are_equal_with_units_of_one_kind(gold: str, text: str, expected: float) -> None:
    assert compare(text, asked("number", gold)) == expected


@pytest.mark.parametrize(
    ("gold", "text", "expected"),
    [
        ("$5 million", "$5,000,000", 1.0),
        ("$5 million", "5 million dollars", 1.0),
        ("$5 million", "US$ 5m", 1.0),
        ("$5 million", "USD 5,000,000.00", 1.0),
        ("$5 million", "$5 billion", 0.0),
        ("$5 million", "5 million", 0.0),  # of what
        ("$5 million", "€5 million", 0.0),
        ("€1,200", "1200 euros", 1.0),
        ("€1,200", "EUR 1,200", 1.0),
        ("€1,200", "1,200 €", 1.0),
        ("US$ 3", "$3", 1.0),  # $ is any country's
        ("US$ 3", "A$3", 0.0),
        ("A$3", "3 Australian dollars", 1.0),
        ("£2bn", "2 billion pounds", 1.0),
        ("¥100", "100 yen", 1.0),
        ("100 yuan", "100 yen", 0.0),
        ("-$5", "$-5", 1.0),
        ("$5 per month", "5 dollars per month", 1.0),
        ("$5 per month", "$5", 0.0),
        ("3.5 million", "3,500,000", 1.0),
        ("2 thousand km", "2e6 m", 1.0),
        ("1.5 crore rupees", "₹15,000,000", 1.0),
        ("5 m", "5 million", 0.0),  # metres
        ("3", "three", 1.0),
        ("twenty-one days", "3 weeks", 1.0),
        ("205", "two hundred and five", 1.0),
        ("3", "three or four", 0.0),
        ("3", "thirteen", 0.0),
    ],
)
def test_money_scales_and_number_words_are_read(gold: str, text: str, expected: float) -> None:
    assert compare(text, asked("number", gold)) == expected


def test_numbers_are_equal_to_a_relative_billionth() -> None:
    assert compare("1.0000000001 kg", asked("number", "1 kg")) == 1.0
    assert compare("1.00000001 kg", asked("number", "1 kg")) == 0.0


@pytest.mark.parametrize(
    ("gold", "text", "expected"),
    [
        ("1994-03-05", "5 March 1994", 1.0),
        ("1994-03-05", "March 5, 1994.", 1.0),
        ("1994-03-05", "5th of mar 1994", 1.0),
        ("1994-03-05", "1994/3/5", 1.0),
        ("1994-03-05", "05/03/1994", 0.0),  # or the third of May
        ("1994-05-05", "05/05/1994", 1.0),  # both ways the same
        ("1994-03-25", "25/03/1994", 1.0),  # there is no 25th month
        ("1994-03-25", "03/25/1994", 1.0),
        ("1994-03-05", "March 1994", 0.0),  # less than was asked for
        ("1994-03-05", "5 March 94", 0.0),
        ("1994-03-05", "6 March 1994", 0.0),
        ("March 1994", "5 March 1994", 1.0),  # more than was asked for
        ("March 1994", "1994-03", 1.0),
        ("March 1994", "05/03/1994", 0.0),
        ("1994", "05/03/1994", 1.0),  # 1994 both ways
        ("1994", "March, 1994", 1.0),
        ("1994", "1995", 0.0),
        ("1994", "1994 or 1995", 0.0),
        ("2001-09-03", "Sept. 3, 2001", 1.0),
        ("1994-02-28", "30 February 1994", 0.0),
        ("1994", "Foo 1994", 0.0),
    ],
)
def test_dates_are_equal_to_the_precision_of_gold(gold: str, text: str, expected: float) -> None:
    assert compare(text, asked("date", gold)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Oslo, Rome and Paris", 1.0),
        ("the Rome; Oslo; paris", 1.0),
        ("Rome, Oslo, and Paris.", 1.0),
        ("Paris\nRome\nOslo", 1.0),
        ("Rome and Paris", 0.0),
        ("Rome, Paris, Oslo, Rome", 0.0),
        ("Bern and Kiel", 1.0),  # another gold answer, a full list of its own
        ("Bern, Kiel, Rome", 0.0),
        (",", 0.0),
    ],
)
def test_lists_are_equal_in_any_order(text: str, expected: float) -> None:
    assert compare(text, asked("set", "Rome, Paris and Oslo", "Kiel; Bern")) == expected


def test_items_of_articles_or_signs_count_and_a_stray_sign_does_not() -> None:
    assert compare("B, A", asked("set", "A, B")) == 1.0
    assert compare("B", asked("set", "A, B")) == 0.0
    assert compare("-, +", asked("set", "+ and -")) == 1.0
    assert compare("Rome, Oslo, .", asked("set", "Rome, Oslo")) == 1.0


def test_the_comma_of_thousands_parts_no_list() -> None:
    assert compare("30 and 1,200", asked("set", "1200, 30")) == 1.0
    assert compare("1,200", asked("set", "200, 1")) == 0.0
    assert compare("1991,1990", asked("set", "1990, 1991")) == 1.0


@pytest.mark.parametrize(
    ("gold", "text", "expected"),
    [
        ("yes", "Yes, because it is.", 1.0),
        ("no", "**No**", 1.0),
        ("Maybe", "maybe not", 1.0),
        ("yes", "No. Yes.", 0.0),
        ("no", "not at all", 0.0),
        ("yes", "It is so, yes", 0.0),
        ("yes", "", 0.0),
        ("no", "No information about this is given.", 0.0),  # it does not say no
        ("no", "No, the text does not mention it.", 1.0),
    ],
)
def test_the_first_word_decides_between_yes_no_and_maybe(gold: str, text: str, expected: float) -> None:
    assert compare(text, asked("yes_no_maybe", gold)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("new york", 1.0),
        ("C", 1.0),
        ("c.", 1.0),
        ("(C)", 1.0),
        ("C) New York", 1.0),
        ("C: New York!", 1.0),
        ("C) Oslo", 0.0),  # at odds with itself
        ("C New York", 0.0),
        ("D", 0.0),
        ("Oslo", 0.0),
        ("Q", 0.0),
        ("", 0.0),
    ],
)
def test_an_option_is_named_by_its_text_or_its_letter(text: str, expected: float) -> None:
    assert compare(text, asked("choice", "New York", choices=CITIES)) == expected


def test_an_article_is_an_option_and_a_letter() -> None:
    assert [option_of(text, CITIES) for text in ("A", "a", "A.", "(A)", "A) Rome")] == [0] * 5
    assert [option_of(text, ["The", "A", "An"]) for text in ("The", "a", "An", "B")] == [0, 1, 2, 1]
    assert [option_of(text, ["O", "A", "B"]) for text in ("A", "A.", "O")] == [1, 1, 0]


def test_an_options_text_goes_before_letters() -> None:
    assert option_of("A", ["B", "A", "C"]) == 1
    assert option_of("a cat", ["dog", "cat"]) == 1  # an article, no letter
    assert option_of("1.5", ["15", "1.5"]) == 1  # equal after normalisation, yet different
    assert option_of("15!", ["15", "1.5"]) is None


def test_a_letter_beyond_the_options_names_none() -> None:
    assert [option_of(letter, CITIES) for letter in ("A", "D", "E", "Z")] == [0, 3, None, None]


def test_gold_may_be_given_by_letter_and_be_several() -> None:
    assert gold_options(asked("choice", "B", "Oslo", choices=CITIES)) == {1, 3}
    assert compare("Oslo", asked("choice", "Paris", "D", choices=CITIES)) == 1.0


def test_without_a_comparator_words_decide() -> None:
    example = Example(id="q", question="?", answers=("The 1.2 g",))
    assert compare("12 G!", example) == 1.0
    assert compare("1,200 mg", example) == 0.0


@pytest.mark.parametrize("name", COMPARATORS)
def test_an_unanswerable_question_cannot_be_judged(name: str) -> None:
    assert math.isnan(compare("1", asked(name, choices=CITIES)))
    assert math.isnan(compare("1", asked(name)))


def test_an_unknown_comparator_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"q7.*expected one of exact, number, date, set, yes_no_maybe, json, choice"):
        compare("1", asked("exacto"))


@pytest.mark.parametrize(
    ("name", "gold", "expected"),
    [
        ("number", "about ten", "one number"),
        ("number", "5-10 mg", "one number"),
        ("number", "1e999", "one number"),
        ("date", "yesterday", "one date"),
        ("date", "05/03/1994", "one date of one meaning"),
        ("set", " , ;", "a list"),
        ("yes_no_maybe", "true", "yes, no or maybe"),
        ("choice", "Bonn", "one of its choices"),
    ],
)
def test_gold_of_another_type_is_refused_rather_than_never_matched(name: str, gold: str, expected: str) -> None:
    with pytest.raises(ValueError, match=rf"q7: the gold answer '.*' must be {expected}"):
        compare("1", asked(name, gold, choices=CITIES))


WORDS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8).map(lambda word: f"x{word}")
UNITS = st.sampled_from(["", " mg", "kg", " µs", " hours", " %", " per cent", " km/h", " tablets", " years", " L"])
GOLDS = {
    "exact": st.lists(WORDS, min_size=1, max_size=4).map(" ".join),
    "number": st.tuples(st.one_of(st.integers(-(10**9), 10**9), st.floats(-1e6, 1e6)), UNITS).map(lambda pair: f"{pair[0]}{pair[1]}")
    | st.integers(1, 10**9).map(lambda n: f"1 in {n:,}"),
    "date": st.dates().flatmap(
        lambda day: st.sampled_from([day.isoformat(), f"{day.day} May {day.year:04}", f"Aug {day.year:04}", f"{day.year:04}"])
    ),
    "set": st.lists(WORDS, min_size=1, max_size=5).flatmap(
        lambda words: st.sampled_from([", ", "; ", " and ", "\n"]).map(lambda by: by.join(words))
    ),
    "yes_no_maybe": st.sampled_from(["yes", "No", "MAYBE", "Yes, it is."]),
    "json": st.dictionaries(WORDS, st.one_of(st.integers(), WORDS, st.none(), st.lists(WORDS)), min_size=1).map(json.dumps),
    "choice": st.sampled_from([*CITIES, *"ABCD", "(B)", "C. New York"]),
}


@pytest.mark.parametrize("name", COMPARATORS)
@given(data=st.data())
def test_gold_as_prediction_scores_1(name: str, data: st.DataObject) -> None:
    gold = data.draw(GOLDS[name])
    assert compare(gold, asked(name, gold, choices=CITIES)) == 1.0
    assert compare(f"  {gold}\n", asked(name, gold, choices=CITIES)) == 1.0


@given(text=st.text(), name=st.sampled_from(list(COMPARATORS)))
def test_any_text_is_right_or_wrong(text: str, name: str) -> None:
    gold = {"number": "1 g", "date": "1994", "set": "x, y", "yes_no_maybe": "yes", "choice": "A", "exact": "x", "json": "1"}[name]
    assert compare(text, asked(name, gold, choices=CITIES)) in (0.0, 1.0)


def test_a_list_shuffled_is_the_same_list() -> None:
    rng = random.Random(0)
    words = ["alpha", "beta", "gamma", "delta"]
    for _ in range(20):
        assert compare(", ".join(rng.sample(words, 4)), asked("set", " and ".join(words))) == 1.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"organ": "Liver"}', 1.0),
        ('{ "organ" :"the liver" }', 1.0),
        ('{"organ": "lung"}', 0.0),
        ('{"place": "liver"}', 0.0),
        ("organ: liver", 0.0),
        ('{"organ": "liver"} is it', 0.0),
        ("", 0.0),
    ],
)
def test_json_is_equal_by_its_values_and_text_is_none(text: str, expected: float) -> None:
    assert compare(text, Example("q", "?", ('{"organ": "liver"}',), grading=Grading(comparator="json"))) == expected


@pytest.mark.parametrize(
    ("one", "other"), [("true", "1"), ("false", "0"), ('{"a": [true]}', '{"a": [1]}'), ('[{"a": false}]', '[{"a": 0.0}]')]
)
def test_true_and_false_are_no_numbers_at_any_depth(one: str, other: str) -> None:
    for gold, text in ((one, other), (other, one)):
        example = Example("q", "?", (gold,), grading=Grading(comparator="json"))
        assert (compare(gold, example), compare(text, example)) == (1.0, 0.0)


def test_an_article_in_json_is_a_text() -> None:
    example = Example("q", "?", ('{"group": "A"}',), grading=Grading(comparator="json"))
    assert [compare(text, example) for text in ('{"group": "a"}', '{"group": ""}', '{"group": "the"}')] == [1.0, 0.0, 0.0]


def test_json_numbers_and_lists_are_compared_as_such() -> None:
    example = Example("q", "?", ('{"n": [1, 2.0, null]}',), grading=Grading(comparator="json"))
    assert [compare(text, example) for text in ('{"n": [1.0, 2, null]}', '{"n": [2, 1, null]}', '{"n": ["1", 2, null]}')] == [1.0, 0.0, 0.0]
