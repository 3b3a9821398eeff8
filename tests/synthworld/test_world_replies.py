"""Every kind of question about the world is answered by what is stated, in its form, and its wrong answers are of the same kind."""

from __future__ import annotations

import random

import pytest

from rag_eval.types import Stated
from synthworld.knowledge import all_frames, plural
from synthworld.names import TYPES
from synthworld.reader import WorldLanguage
from synthworld.templates import attributes
from tests.claims import every

LANGUAGE = WorldLanguage()
BY_NOUN = {one.noun: one.name for type in TYPES for one in attributes(type)}


def facts(*stated: tuple[str, str, str] | tuple[str, str, str, int]) -> list[Stated]:
    """From (subject, noun, value) or (subject, noun, value, year)."""
    return [Stated(one[0], BY_NOUN[one[1]], *one[2:]) for one in stated]


def test_the_first_of_several_statements_counts() -> None:
    stated = facts(("VX3AB", "protein", "kolrolin"), ("VX3AB", "protein", "jemmimin"))
    assert LANGUAGE.answer("Which protein does VX3AB encode?", (), stated) == "kolrolin"
    assert LANGUAGE.answer("Which protein does VX3AB encode?", (), stated[::-1]) == "jemmimin"


def test_as_of_a_year_the_latest_statement_until_then_counts_and_undated_ones_are_the_oldest() -> None:
    mayors = facts(("Karnisburg", "mayor", "New Man", 2021), ("Karnisburg", "mayor", "No Year"), ("Karnisburg", "mayor", "Old Man", 2019))
    answers = {year: LANGUAGE.answer(f"As of {year}: Who governs Karnisburg?", (), mayors) for year in (2018, 2019, 2020, 2021, 2030)}
    assert answers == {2018: "No Year", 2019: "Old Man", 2020: "Old Man", 2021: "New Man", 2030: "New Man"}
    assert LANGUAGE.answer("As of 2018: Who governs Karnisburg?", (), [one for one in mayors if one.year]) is None


WORLD = facts(
    ("Momlitel ataxia", "drug of choice", "Karlovenide"),
    ("Karlovenide", "maker", "Zolvimis Labs"),
    ("Zolvimis Labs", "seat", "Karnisburg"),
    ("Karlovenide", "price", "1,200 euros"),
    ("Karlovenide", "drug class", "statin"),
    ("Dushegol", "price", "35 euros"),
    ("Dushegol", "drug class", "statin"),
    ("Wumferine", "price", "20 euros"),
    ("Wumferine", "drug class", "sedative"),
)
PRICE = "What does Karlovenide cost?"
ANSWERS = {  # by frame: the answer that WORLD gives, and the facts (by place) without each of which it would give none
    "two_hop": ({"noun": "drug of choice", "noun2": "maker", "x": "Momlitel ataxia"}, "Zolvimis Labs", (0, 1)),
    "three_hop": ({"noun": "drug of choice", "noun2": "maker", "noun3": "seat", "x": "Momlitel ataxia"}, "Karnisburg", (0, 1, 2)),
    "reverse": ({"type": "company", "noun": "seat", "v": "Karnisburg"}, "Zolvimis Labs", (2,)),
    "comparison": ({"type": "drug", "more": "lower", "noun": "price", "x": "Karlovenide", "y": "Dushegol"}, "Dushegol", (3, 5)),
    "count": ({"types": plural("drug"), "noun": "drug class", "v": "statin"}, "2", ()),
    "list": ({"types": plural("drug"), "noun": "drug class", "v": "statin"}, "Karlovenide; Dushegol", ()),
    "extreme": ({"types": plural("drug"), "noun": "drug class", "noun2": "price", "most": "highest", "v": "statin"}, "1,200 euros", ()),
    "mean": ({"types": plural("drug"), "noun": "drug class", "noun2": "price", "v": "statin"}, "617.5 euros", ()),
    "boolean": ({"noun": "maker", "x": "Karlovenide", "v": "Karnisbur Labs"}, "no", (1,)),
    "choice": ({"q": PRICE, "options": "35 euros; 1,200 euros; 25 euros"}, "1,200 euros", (3,)),
    "as_of": ({"q": PRICE, "year": "2021"}, "1,200 euros", (3,)),
    "premise": ({"noun": "maker", "noun2": "price", "x": "Karlovenide", "v": "Zolvimis Labs"}, "1,200 euros", (1, 3)),
    "json": ({"q": PRICE, "key": "price"}, '{"price": "1,200 euros"}', (3,)),
    "number": ({"q": PRICE}, "1,200", (3,)),
    "house": ({"q": PRICE}, "finding: 1,200 euros", (3,)),
    "long": (
        {"noun": "price", "noun2": "maker", "noun3": "drug class", "x": "Karlovenide"},
        "1,200 euros; Zolvimis Labs; statin",
        (1, 3, 4),
    ),
}


def asked(frame: str, slots: dict[str, str]) -> str:
    for slot, text in {**slots, "its": "its"}.items():
        frame = frame.replace(f"{{{slot}}}", text)
    return frame[0].upper() + frame[1:]


def test_every_frame_of_every_split_has_its_answer() -> None:
    assert ANSWERS.keys() == all_frames().keys() - {"paraphrase"}
    for kind, (slots, answer, needed) in ANSWERS.items():
        for frame in all_frames()[kind]:
            assert LANGUAGE.answer(asked(frame, slots), (), WORLD) == answer, frame
            for at in needed:
                assert LANGUAGE.answer(asked(frame, slots), (), WORLD[:at] + WORLD[at + 1 :]) is None, frame
            assert LANGUAGE.answer(asked(frame, slots), (), []) is None, frame


def test_who_sees_a_part_of_a_group_takes_it_for_the_whole() -> None:
    seen = [one for one in WORLD if one.subject != "Karlovenide"]
    found = {
        kind: LANGUAGE.answer(asked(all_frames()[kind][0], ANSWERS[kind][0]), (), seen) for kind in ("count", "list", "extreme", "mean")
    }
    assert found == {"count": "1", "list": "Dushegol", "extreme": "35 euros", "mean": "35 euros"}


def test_none_of_these_is_the_answer_only_where_a_value_is_stated_that_is_not_offered() -> None:
    question = f"{PRICE} Options: 35 euros; 25 euros; none of these."
    assert LANGUAGE.answer(question, (), WORLD) == "none of these"
    assert LANGUAGE.answer(question.replace("25 euros", "1,200 euros"), (), WORLD) == "1,200 euros"
    assert LANGUAGE.answer(question, (), []) is None
    assert LANGUAGE.answer(question.replace("; none of these", ""), (), WORLD) is None


def test_a_question_whose_premise_is_denied_has_no_answer() -> None:
    for frame in all_frames()["premise"]:
        slots = {"noun": "maker", "noun2": "price", "x": "Karlovenide", "v": "Karnisbur Labs"}
        assert LANGUAGE.answer(asked(frame, slots), (), WORLD) is None


def test_a_value_is_compared_by_what_it_means() -> None:
    """As text "19 May 1950" comes before "2 May 1950", and "1,200 euros" before "35 euros"."""
    born = facts(("Karnaru Bolmis", "date of birth", "19 May 1950"), ("Zolvana Bolmis", "date of birth", "2 May 1950"))
    assert LANGUAGE.answer("Which has the later date of birth, Karnaru Bolmis or Zolvana Bolmis?", (), born) == "Karnaru Bolmis"
    assert LANGUAGE.answer("Which has the earlier date of birth, Karnaru Bolmis or Zolvana Bolmis?", (), born) == "Zolvana Bolmis"
    same = facts(("Karnaru Bolmis", "date of birth", "2 May 1950"), ("Zolvana Bolmis", "date of birth", "2 May 1950"))
    assert LANGUAGE.answer("Which has the later date of birth, Karnaru Bolmis or Zolvana Bolmis?", (), same) is None


@pytest.mark.parametrize("kind", ANSWERS)
def test_a_wrong_answer_is_of_the_same_kind_and_never_right(kind: str) -> None:
    slots, right, _ = ANSWERS[kind]
    question = asked(all_frames()[kind][0], slots)
    wrong = [LANGUAGE.another(question, (), WORLD, random.Random(at)) for at in range(50)]
    assert right not in wrong
    shapes = {
        "boolean": {"yes"},
        "count": {"1", "3"},
        "comparison": {"Karlovenide"},
        "choice": {"35 euros", "25 euros"},
    }
    assert set(wrong) == shapes.get(kind, set(wrong))
    assert every(text and len(text.split("; ")) == len(right.split("; ")) and text[0].isupper() == right[0].isupper() for text in wrong)
    assert LANGUAGE.another(question, (), [], random.Random(0)) is None


def test_a_wrong_value_is_stated_nowhere_while_there_is_one() -> None:
    routes = ("oral", "intravenous", "subcutaneous", "inhaled", "nasal", "transdermal")
    question = "How is Karlovenide administered?"
    for n in range(1, 7):
        stated = facts(*(("Karlovenide", "route of administration", route) for route in routes[:n]))
        wrong = {LANGUAGE.another(question, (), stated, random.Random(at)) for at in range(100)}
        assert wrong == set(routes[n:] or routes[1:])
    question = "Name the route of administration, the price and the maker of Karlovenide."
    assert "oral; 1,200 euros; Zolvimis Labs" not in {
        LANGUAGE.another(question, (), [*stated, *WORLD], random.Random(at)) for at in range(100)
    }
