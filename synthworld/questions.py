"""Kinds of question about a world, each with its exact answer and the facts that it takes."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal, get_args

from pydantic import Field, PositiveInt

from rag_eval.types import Grading
from synthworld.groups import ask_count, ask_extreme, ask_list, ask_mean
from synthworld.knowledge import SEPARATOR, KnowledgeBase, WorldQuestion, asking_for, comparable, in_house_style, phrasings, plain, worded
from synthworld.model import Fact
from synthworld.templates import Split

Kind = Literal[
    "forward", "paraphrase", "reverse", "two_hop", "three_hop", "comparison", "count", "list", "extreme", "mean", "boolean",
    "choice", "none_of_these", "as_of", "true_premise", "json", "number", "house", "long",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)
Nothing = Literal["unknown entity", "unstated attribute", "false premise", "deleted fact"]
NOTHINGS: tuple[Nothing, ...] = get_args(Nothing)
Change = Literal["canary", "newcomer", "locality", "retained"]
CHANGES: tuple[Change, ...] = get_args(Change)
Share = Annotated[float, Field(ge=0, lt=1)]
Exponent = Annotated[float, Field(ge=0, le=10)]

NONE_OF_THESE = "none of these"
N_OPTIONS = 4


@dataclass(frozen=True)
class Questions:
    """What is asked in dev and test, and what training questions leave out."""

    kinds: Sequence[Kind] = ("forward",)  # each takes an equal share of the questions
    nothings: Sequence[Nothing] = ("unknown entity", "unstated attribute")  # kinds without an answer; equal shares as well
    changes: Sequence[Change] = CHANGES  # by what the last version changed
    n_answerable: PositiveInt | None = None  # in the test; None = as the preset says
    popularity: Exponent = 0.0  # Zipf exponent of how often an entity is asked about; 0 = all alike
    correlation: Literal[-1, 0, 1] = 1  # of the ranks: who is asked about most is written about least, independently, most
    follow_ups: bool = False  # whether plain questions continue a conversation
    untaught_entities: Share = 0.0  # share of the entities that no training question is about
    untaught_attributes: Share = 0.0  # share of the attributes that no training question is about


def ask(kind: Kind, known: KnowledgeBase, fact: Fact, split: Split, rng: random.Random) -> WorldQuestion | None:
    """A question of some kind about a fact.

    Args:
        kind: kind of question.
        known: what documents state.
        fact: one of the stated facts, the latest of its key.
        split: split whose phrasings are used.
        rng: source of all randomness.

    Returns:
        The question; None if the fact gives rise to none of this kind.
    """
    return _ASK[kind](known, fact, split, rng)


def ask_false_premise(known: KnowledgeBase, fact: Fact, split: Split, rng: random.Random) -> WorldQuestion | None:
    """A question that takes for true what documents deny."""
    wrong = _another(known, fact, rng)
    asked = _premise(known, fact, split, rng, wrong) if wrong else None
    return None if asked is None or wrong is None else replace(asked, kind="false premise", answers=(), facts=(replace(fact, value=wrong),))


def _forward(known: KnowledgeBase, fact: Fact, split: Split, rng: random.Random) -> WorldQuestion:
    return asking_for("forward", plain(fact, split, rng), fact.value, [fact])


def _paraphrase(known: KnowledgeBase, fact: Fact, split: Split, rng: random.Random) -> WorldQuestion:
    return asking_for("paraphrase", rng.choice(phrasings(fact)), fact.value, [fact])


def _reverse(known: KnowledgeBase, fact: Fact, split: Split, rng: random.Random) -> WorldQuestion | None:
    """From a value to the only entity that has it."""
    if len(known.by_value[fact.attribute.name, fact.value]) > 1:
        return None
    type = fact.entity.type
    text = worded("reverse", split, rng, type, type=type, noun=fact.attribute.noun, v=fact.value)
    return asking_for("reverse", text, fact.entity.name, [fact], Grading())


def _two_hop(known: KnowledgeBase, fact: Fact, split: Split, rng: random.Random) -> WorldQuestion | None:
    beyond = known.beyond(fact)
    if not beyond:
        return None
    then = rng.choice(beyond)
    slots = {"noun": fact.attribute.noun, "noun2": then.attribute.noun, "x": fact.entity.name}
    return asking_for("two_hop", worded("two_hop", split, rng, then.entity.type, **slots), then.value, [fact, then])


def _three_hop(known: KnowledgeBase, fact: Fact, split: Split, rng: random.Random) -> WorldQuestion | None:
    ways = [(second, third) for second in known.beyond(fact) for third in known.beyond(second) if third.entity.id != fact.entity.id]
    if not ways:
        return None
    second, third = rng.choice(ways)
    nouns = {"noun": fact.attribute.noun, "noun2": second.attribute.noun, "noun3": third.attribute.noun}
    text = worded("three_hop", split, rng, third.entity.type, **nouns, x=fact.entity.name)
    return asking_for("three_hop", text, third.value, [fact, second, third])


def _comparison(known: KnowledgeBase, fact: Fact, split: Split, rng: random.Random) -> WorldQuestion | None:
    if not fact.attribute.order:
        return None
    others = [one for one in known.by_attribute[fact.attribute.name] if comparable(one) != comparable(fact)]
    if not others:
        return None
    other = rng.choice(others)
    is_larger = rng.random() < 0.5
    right = (max if is_larger else min)((fact, other), key=comparable)
    first, second = rng.sample((fact.entity.name, other.entity.name), 2)
    slots = {"more": fact.attribute.order[is_larger], "noun": fact.attribute.noun, "type": fact.entity.type, "x": first, "y": second}
    text = worded("comparison", split, rng, fact.entity.type, **slots)
    return asking_for("comparison", text, right.entity.name, [fact, other], Grading())


def _boolean(known: KnowledgeBase, fact: Fact, split: Split, rng: random.Random) -> WorldQuestion | None:
    is_true = rng.random() < 0.5
    value = fact.value if is_true else _another(known, fact, rng)
    if value is None:
        return None
    text = worded("boolean", split, rng, fact.entity.type, noun=fact.attribute.noun, x=fact.entity.name, v=value)
    return asking_for("boolean", text, "yes" if is_true else "no", [fact], Grading("yes_no_maybe"))


def _another(known: KnowledgeBase, fact: Fact, rng: random.Random) -> str | None:
    """A value that some other entity has where there is one, else any other value; None where there is none."""
    elsewhere = sorted({one.value for one in known.by_attribute[fact.attribute.name]} - {fact.value})
    values = elsewhere or [value for value in known.values(fact) if value != fact.value]
    return rng.choice(values) if values else None


def _choice(known: KnowledgeBase, fact: Fact, split: Split, rng: random.Random) -> WorldQuestion | None:
    return _options(known, fact, split, rng, has_right=True)


def _none_of_these(known: KnowledgeBase, fact: Fact, split: Split, rng: random.Random) -> WorldQuestion | None:
    """The option "none of these" stands last; it is right in half of the questions."""
    return _options(known, fact, split, rng, has_right=rng.random() < 0.5, has_none=True)


def _options(
    known: KnowledgeBase, fact: Fact, split: Split, rng: random.Random, has_right: bool, has_none: bool = False
) -> WorldQuestion | None:
    n_wrong = N_OPTIONS - has_right - has_none
    wrong = [value for value in known.values(fact) if value != fact.value]
    if len(wrong) < n_wrong:
        return None
    options = rng.sample(wrong, n_wrong) + [fact.value] * has_right
    options = rng.sample(options, len(options)) + [NONE_OF_THESE] * has_none
    text = worded("choice", split, rng, fact.entity.type, q=plain(fact, split, rng), options=SEPARATOR.join(options))
    answer = fact.value if has_right else NONE_OF_THESE
    return asking_for("none_of_these" if has_none else "choice", text, answer, [fact], Grading("choice", tuple(options)))


def _as_of(known: KnowledgeBase, fact: Fact, split: Split, rng: random.Random) -> WorldQuestion | None:
    """What held in an earlier year, or holds in the one after the last change, of a value that has changed."""
    history = known.over_time[fact.key]
    if len({one.value for one in history}) < 2:
        return None
    last = (history[-1].since or 0) + 1
    year = rng.choice(range(history[0].since or 0, (last if known.until is None else min(last, known.until)) + 1))
    then = [one for one in history if (one.since or 0) <= year][-1]
    text = worded("as_of", split, rng, fact.entity.type, q=plain(fact, split, rng), year=str(year))
    asked = asking_for("as_of", text, then.value, [then])
    return replace(asked, grading=replace(asked.grading, as_of=str(year)), year=year)


def _true_premise(known: KnowledgeBase, fact: Fact, split: Split, rng: random.Random) -> WorldQuestion | None:
    return _premise(known, fact, split, rng, fact.value)


def _premise(known: KnowledgeBase, fact: Fact, split: Split, rng: random.Random, value: str) -> WorldQuestion | None:
    others = [one for one in known.of(fact.entity.id) if one.attribute.name != fact.attribute.name]
    if not others:
        return None
    then = rng.choice(others)
    slots = {"noun": fact.attribute.noun, "noun2": then.attribute.noun, "x": fact.entity.name, "v": value}
    return asking_for("true_premise", worded("premise", split, rng, fact.entity.type, **slots), then.value, [fact, then])


def _json(known: KnowledgeBase, fact: Fact, split: Split, rng: random.Random) -> WorldQuestion:
    key = fact.attribute.name
    text = worded("json", split, rng, fact.entity.type, q=plain(fact, split, rng), key=key)
    return asking_for("json", text, json.dumps({key: fact.value}), [fact], Grading("json", format="json"))


def _number(known: KnowledgeBase, fact: Fact, split: Split, rng: random.Random) -> WorldQuestion | None:
    if fact.attribute.kind != "number":
        return None
    text = worded("number", split, rng, fact.entity.type, q=plain(fact, split, rng))
    return asking_for("number", text, fact.value.split()[0], [fact], Grading("number", format="number"))


def _house(known: KnowledgeBase, fact: Fact, split: Split, rng: random.Random) -> WorldQuestion:
    """In the style of a house that no document explains: to be learned from examples."""
    text = worded("house", split, rng, fact.entity.type, q=plain(fact, split, rng))
    return asking_for("house", text, in_house_style(fact.value), [fact], Grading())


def _long(known: KnowledgeBase, fact: Fact, split: Split, rng: random.Random) -> WorldQuestion | None:
    """Three facts about one entity; their values come in the order asked for, and may be given in any."""
    others = [one for one in known.of(fact.entity.id) if one.attribute.name != fact.attribute.name]
    if len(others) < 2:
        return None
    facts = [fact, *rng.sample(others, 2)]
    slots = {"x": fact.entity.name, **dict(zip(("noun", "noun2", "noun3"), (one.attribute.noun for one in facts), strict=True))}
    answer = SEPARATOR.join(one.value for one in facts)
    return asking_for("long", worded("long", split, rng, fact.entity.type, **slots), answer, facts, Grading("set"))


_ASK: Mapping[Kind, Callable[[KnowledgeBase, Fact, Split, random.Random], WorldQuestion | None]] = {
    "forward": _forward,
    "paraphrase": _paraphrase,
    "reverse": _reverse,
    "two_hop": _two_hop,
    "three_hop": _three_hop,
    "comparison": _comparison,
    "count": ask_count,
    "list": ask_list,
    "extreme": ask_extreme,
    "mean": ask_mean,
    "boolean": _boolean,
    "choice": _choice,
    "none_of_these": _none_of_these,
    "as_of": _as_of,
    "true_premise": _true_premise,
    "json": _json,
    "number": _number,
    "house": _house,
    "long": _long,
}
