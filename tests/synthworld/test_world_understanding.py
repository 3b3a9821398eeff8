"""The world's passages and questions can be read back by their templates, all of them and exactly."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from rag_eval.types import Stated
from synthworld.documents import STYLES, DocumentStyle, write
from synthworld.knowledge import all_frames
from synthworld.mention_finder import Mention, Templates
from synthworld.model import Entity, Fact
from synthworld.names import TYPES, Names, Type
from synthworld.reader import WorldLanguage
from synthworld.templates import Attribute, attributes, state, subject, this

LANGUAGE = WorldLanguage()
ATTRIBUTES = [one for type in TYPES for one in attributes(type)]
LIVER = Stated("Momlitel ataxia", "organ", "liver")
NAMES: dict[Type, tuple[str, ...]] = {  # also of siblings, of namesakes, and one that ends as those of another type do
    "disease": ("Momlitel ataxia", "Momlitel ataxia type 2", "AB3CD syndrome"),
    "gene": ("VX3AB", "VX3AB IV"),
    "drug": ("Karlovenide", "Karlovenide II"),
    "person": ("Karnaru Bolmis", "Karnaru Bolmis III", "Karlovenol Bolmis"),
    "company": ("Zolvimis Labs", "Zolvimis Labs II", "Karlovenol Works"),
    "city": ("Karnisburg", "Karnisburg II"),
}


def some_values(attribute: Attribute, rng: random.Random) -> Sequence[str]:
    return NAMES[attribute.link] if attribute.link else rng.sample(attribute.values, min(20, len(attribute.values)))


@pytest.mark.parametrize("attribute", ATTRIBUTES, ids=lambda one: one.name)
def test_every_statement_is_understood_of_everybody(attribute: Attribute) -> None:
    rng = random.Random(attribute.name)
    for template in attribute.statements:
        for name in NAMES[attribute.type]:
            for value in some_values(attribute, rng):
                assert LANGUAGE.statements(state(template, name, value)) == [Stated(name, attribute.name, value)]
                pronoun = state(template, this(attribute.type), value)
                assert LANGUAGE.statements(pronoun, title=name) == [Stated(name, attribute.name, value)]
                assert LANGUAGE.statements(pronoun) == []


@pytest.mark.parametrize("attribute", ATTRIBUTES, ids=lambda one: one.name)
def test_every_plain_question_is_understood_of_everybody(attribute: Attribute) -> None:
    paraphrases = [frame.replace("{noun}", attribute.noun) for frame in all_frames()["paraphrase"]]
    for template in (*attribute.questions, *paraphrases):
        for name in NAMES[attribute.type]:
            stated = [
                Stated(name, attribute.name, "this one"),
                Stated(name, "other", "wrong"),
                Stated(f"{name} V", attribute.name, "wrong"),
            ]
            assert LANGUAGE.answer(subject(template, name), (), stated) == "this one"


@pytest.mark.parametrize("style", STYLES)
def test_every_kind_of_passage_is_read_with_its_year_and_source(style: str) -> None:
    manner = DocumentStyle((style,), pronouns=0.5, fillers=3, openers=0.5)  # type: ignore[arg-type]
    for at in range(300):
        rng = random.Random(f"{style}/{at}")
        type = rng.choice(TYPES)
        about = Entity("e", type, Names(rng, reserved=False).draw(type), {}, {}, "")
        wanted = [Fact(about, one, rng.choice(some_values(one, rng))) for one in rng.sample(attributes(type), 3)]
        year, source = rng.choice((None, 2021)), rng.choice(("", "Medical Gazette", "Rumour Mill"))
        text = write(wanted, manner, rng, rng.choice(("train", "test")), year, source).text
        read = LANGUAGE.statements(text, title="")
        assert [(one.subject, one.attribute, one.value) for one in read] == [(about.name, one.attribute.name, one.value) for one in wanted]
        assert {one.year for one in read} == {year}
        assert {one.is_doubtful for one in read} == {source == "Rumour Mill"}
        assert source in {"", *(one.source for one in read)}


def test_this_disease_is_the_disease_named_last_and_else_the_title() -> None:
    opened = "Readers often ask about Momlitel ataxia. This disease is treated with Karlovenide. This disease attacks the liver."
    assert LANGUAGE.statements(opened, title="Dushegax syndrome")[1:] == [LIVER]
    assert LANGUAGE.statements("This disease attacks the liver.", title="Momlitel ataxia") == [LIVER]
    assert LANGUAGE.statements("This disease attacks the liver.", title="Karnisburg") == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The Nile is in Egypt. Momlitel ataxia is rare.",
        "Egypt | river: the Nile",
        "Q: Where is the Nile? A: Egypt.",
        "Momlitel ataxia attacks the lives.",
        "Momlitel ataxia | main target: lives | colour: red",
        "Q: What organ does Momlitel ataxia attack? A: lives.",
        "Momlitel ataxia is treated with water.",
    ],
)
def test_what_is_no_sentence_or_no_value_of_the_world_states_nothing(text: str) -> None:
    assert LANGUAGE.statements(text, title="Momlitel ataxia") == []


def test_what_is_no_question_of_the_world_asks_nothing() -> None:
    for question in ("Where is the Nile?", "", "In 2021: Where is the Nile?", "Which organ does this disease mainly affect?"):
        assert LANGUAGE.answer(question, (), [LIVER]) is None


def test_a_capital_of_a_sentence_is_none_of_the_value() -> None:
    assert LANGUAGE.answer("Liver is the main target of what disease?", (), [LIVER]) == "Momlitel ataxia"
    river = Stated("Karnisburg", "river", "the Besha")
    assert LANGUAGE.answer("The Besha is the river of how many cities?", (), [river]) == "1"


def test_a_follow_up_question_is_about_who_was_named_last_of_its_type() -> None:
    earlier = ("Who discovered Dushegax syndrome?", "Who discovered Momlitel ataxia?", "Who makes Karlovenide?", "Who makes this drug?")
    assert LANGUAGE.answer("Which organ does this disease mainly affect?", earlier, [LIVER]) == "liver"
    assert LANGUAGE.answer("Which organ does this disease mainly affect?", earlier[:1], [LIVER]) is None
    assert LANGUAGE.answer("Who makes this drug?", earlier, [Stated("Karlovenide", "maker", "Zolvimis Labs")]) == "Zolvimis Labs"


def test_names_are_told_apart_where_they_meet() -> None:
    stated = [Stated("Karlovenol Bolmis", "employer", "Zolvimis Labs"), Stated("Momlitel ataxia", "gene", "VX3AB")]
    assert LANGUAGE.answer("Is the employer of Karlovenol Bolmis Zolvimis Labs?", (), stated) == "yes"
    assert LANGUAGE.answer("Is the causal gene of Momlitel ataxia VX3AB?", (), stated) == "yes"


def test_a_word_with_a_capital_before_a_name_is_none_of_it() -> None:
    sayings = Templates("person", [("{x} sleeps.", None), ("In {x} sleeps nobody.", None)])
    assert sayings.find("In Karnaru Bolmis sleeps nobody.") == Mention("Karnaru Bolmis", None, "")


def test_no_two_attributes_share_a_noun_a_question_or_a_statement() -> None:
    for words in (
        [one.noun for one in ATTRIBUTES],
        [way for one in ATTRIBUTES for way in one.questions],
        [way for one in ATTRIBUTES for way in one.statements],
    ):
        assert len(set(words)) == len(words)
