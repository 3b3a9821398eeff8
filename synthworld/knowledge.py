"""What documents state of a world, and what a question is: what all kinds of question are made of."""

from __future__ import annotations

import random
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from rag_eval.text.dates import read_date
from rag_eval.text.quantity import read_quantity
from rag_eval.types import Grading
from synthworld.model import Entity, Fact
from synthworld.names import Type
from synthworld.templates import Split, entries, subject

FRAME_SPLITS: Mapping[Split, slice] = {"train": slice(0, -3), "dev": slice(-3, -2), "test": slice(-2, None)}
SEPARATOR = "; "  # of several values in one answer, and of options
PLURALS: Mapping[Type, str] = {"person": "persons", "company": "companies", "city": "cities"}


@dataclass(frozen=True)
class WorldQuestion:
    """A question and what it takes to answer it."""

    kind: str
    text: str
    answers: tuple[str, ...]  # () = unanswerable
    facts: tuple[Fact, ...]  # all that are needed, in the order in which they are; without an answer, what it takes for true or asks for
    cluster: str  # id of the entity that the question is about first
    attribute: str  # of the answer; "" where it is of none
    grading: Grading = field(default_factory=Grading)
    year: int | None = None  # about which it asks: documents that say they were written later do not tell; None = about now


class KnowledgeBase:
    """The facts that a set of documents states, looked up in both directions."""

    def __init__(self, facts: Iterable[Fact], entities: Sequence[Entity], until: int | None = None) -> None:
        """Index facts by entity, value and attribute.

        Args:
            facts: one fact of each key, or several that succeed each other in time.
            entities: all entities of the world.
            until: last year that the facts describe; None = they describe no year.
        """
        self.until = until
        self.facts = tuple(facts)
        self.entities = tuple(entities)
        self.by_entity: dict[str, dict[str, Fact]] = defaultdict(dict)
        self.by_value: dict[tuple[str, str], list[Fact]] = defaultdict(list)
        self.by_attribute: dict[str, list[Fact]] = defaultdict(list)
        self.over_time: dict[tuple[str, str], list[Fact]] = defaultdict(list)
        for fact in self.facts:
            self.over_time[fact.key].append(fact)
        for history in self.over_time.values():
            history.sort(key=lambda one: one.since or 0)
            latest = history[-1]
            self.by_entity[latest.entity.id][latest.attribute.name] = latest
            self.by_value[latest.attribute.name, latest.value].append(latest)
            self.by_attribute[latest.attribute.name].append(latest)

    @cached_property
    def ids(self) -> Mapping[str, str]:
        """Ids of entities by name."""
        return {one.name: one.id for one in self.entities}

    @cached_property
    def names(self) -> Mapping[str, tuple[str, ...]]:
        """Names of all entities of a type."""
        found = defaultdict(list)
        for one in self.entities:
            found[one.type].append(one.name)
        return {type: tuple(names) for type, names in found.items()}

    def values(self, fact: Fact) -> Sequence[str]:
        """Everything that the value could be."""
        return fact.attribute.values or self.names[str(fact.attribute.link)]

    def of(self, id: str) -> list[Fact]:
        """The facts about an entity."""
        return list(self.by_entity.get(id, {}).values())

    def beyond(self, fact: Fact) -> list[Fact]:
        """The facts about the entity that a fact's value names; none where it names none."""
        return self.of(self.ids.get(fact.value, "")) if fact.attribute.link else []


@cache
def all_frames() -> Mapping[str, tuple[str, ...]]:
    """The frames of every kind of question that has some."""
    return {kind: tuple(ways) for kind, ways in entries("frames.yaml").items()}


def frames(kind: str, split: Split) -> tuple[str, ...]:
    """The frames of a kind of question; the three splits share none."""
    return all_frames()[kind][FRAME_SPLITS[split]]


def plain(fact: Fact, split: Split, rng: random.Random) -> str:
    """A plain question for the fact's value."""
    return subject(rng.choice(fact.attribute.questions_of(split)), fact.entity.name)


def phrasings(fact: Fact) -> tuple[str, ...]:
    """Five ways to ask for a fact, none of them a training phrasing."""
    ways = (*fact.attribute.questions_of("test"), *all_frames()["paraphrase"])
    return tuple(subject(way.replace("{noun}", fact.attribute.noun), fact.entity.name) for way in ways)


def plural(type: Type) -> str:
    """The word for several entities of a type."""
    return PLURALS.get(type, f"{type}s")


def comparable(fact: Fact) -> tuple[float, ...]:
    """The value as numbers that sort as the values do: a year, a number, or a date's year, month and day."""
    read: Any = read_date(fact.value) if fact.attribute.kind == "dates" else read_quantity(fact.value)
    return tuple(map(float, read)) if isinstance(read, tuple) else (read.value,)


def mean_of(values: Sequence[str]) -> str:
    """The mean of numbers with one unit, with that unit."""
    numbers = (float(value.split()[0].replace(",", "")) for value in values)
    return f"{statistics.fmean(numbers):,.10g} {values[0].partition(' ')[2]}"


def in_house_style(value: str) -> str:
    """An answer as the house wants it."""
    return f"finding: {value}"


def worded(kind: str, split: Split, rng: random.Random, about: Type, **slots: str) -> str:
    """A frame of a kind with its slots filled; a capital opens it."""
    text = rng.choice(frames(kind, split)).replace("{its}", "their" if about == "person" else "its")
    for slot, value in slots.items():
        text = text.replace(f"{{{slot}}}", value)
    return text[0].upper() + text[1:]


def asking_for(kind: str, text: str, answer: str, facts: Sequence[Fact], grading: Grading | None = None) -> WorldQuestion:
    """A question whose answer is a value of the last fact, and is compared as such unless its grading says otherwise."""
    last = facts[-1].attribute
    return WorldQuestion(kind, text, (answer,), tuple(facts), facts[0].entity.id, last.name, grading or Grading(comparator=last.comparator))
