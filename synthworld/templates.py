"""The language of the invented world: what can be said of each type of entity, and how. Read from types/*.yaml, pure otherwise."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

from synthworld.names import TYPES, Type, invented, syllables, two_closed

Split = Literal["train", "dev", "test"]

N_TRAIN_STATEMENTS = 5
QUESTION_SPLITS: Mapping[Split, slice] = {"train": slice(0, 6), "dev": slice(6, 7), "test": slice(7, None)}
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")
# By kind of pool: how an answer is compared. A link's value is a name.
COMPARATORS = {"number": "number", "dates": "date", "pair": "set"}


@dataclass(frozen=True)
class Attribute:
    """One thing that can be said about entities of a type."""

    type: Type
    name: str  # no two types share one
    noun: str  # fits "the NOUN of X"
    kind: str  # of its pool
    values: tuple[str, ...]  # drawn uniformly; () where a value names an entity
    statements: tuple[str, ...]  # templates with {x} and then {v}
    questions: tuple[str, ...]  # templates with {x}
    link: Type | None = None  # which type a value names
    through: tuple[str, str] | None = None  # the value is what an attribute's entity has as another: it adds no bits
    order: tuple[str, str] | None = None  # words for the smaller and the larger of two values
    rate: float = 0.0  # chance that a value changes in a year

    @property
    def comparator(self) -> str:
        """How an answer is compared with the value; a name of rag_eval.score.comparators."""
        return COMPARATORS.get(self.kind, "exact")

    @property
    def bits(self) -> float:
        """Entropy of one value in bits: log2 of the size of the pool. 0 for what follows from another value.

        Raises:
            ValueError: for a link, whose pool are the entities of a world.
        """
        if self.through:
            return 0.0
        if self.link:
            raise ValueError(f"{self.name} names a {self.link}: its bits are log2 of their number")
        return math.log2(len(self.values))

    def statements_of(self, split: Split) -> tuple[str, ...]:
        """The statement templates of a split; dev has none of its own and shares train's."""
        return self.statements[N_TRAIN_STATEMENTS:] if split == "test" else self.statements[:N_TRAIN_STATEMENTS]

    def questions_of(self, split: Split) -> tuple[str, ...]:
        """The question templates of a split; the three splits share none."""
        return self.questions[QUESTION_SPLITS[split]]


@cache
def attributes(type: Type) -> tuple[Attribute, ...]:
    """All attributes of a type, in the order of its file."""
    return tuple(_attribute(type, name, entry) for name, entry in entries("types", f"{type}.yaml").items())


def entries(*path: str) -> Mapping[str, Any]:
    """A YAML file of this folder."""
    found: Mapping[str, Any] = yaml.safe_load(files(__package__).joinpath(*path).read_text(encoding="utf-8"))
    return found


@cache
def named(name: str) -> Attribute:
    """An attribute by its name. Raises KeyError on an unknown one."""
    return {one.name: one for type in TYPES for one in attributes(type)}[name]


def subject(template: str, name: str) -> str:
    """The template with a name in the place of {x}; a capital opens the sentence where it stands first."""
    sentence = template.replace("{x}", name)
    return sentence[0].upper() + sentence[1:]


def state(template: str, name: str, value: str) -> str:
    """A sentence that says of the named entity that it has the value."""
    sentence = subject(template, name).replace("{v}", value)
    return sentence if value[0].lower() not in "aeioux" else sentence.replace(f" a {value}", f" an {value}")


def this(type: Type) -> str:
    """What an entity is called once it has been named."""
    return f"this {type}"


def _attribute(type: Type, name: str, entry: Mapping[str, Any]) -> Attribute:
    ((kind, argument),) = entry["pool"].items()
    through = tuple(argument) if kind == "dependent" else None
    return Attribute(
        type,
        name,
        entry["noun"],
        kind,
        () if kind in {"link", "dependent"} else _pool(name, kind, argument),
        tuple(entry["statements"]),
        tuple(entry["questions"]),
        link=argument if kind == "link" else "city" if through else None,
        through=through,
        order=tuple(entry["order"]) if "order" in entry else None,
        rate=entry.get("rate", 0.0),
    )


def _pool(name: str, kind: str, argument: Any) -> tuple[str, ...]:
    """The values of an attribute.

    Args:
        name: name of the attribute.
        kind: how the pool is built.
        argument: what it is built from, depending on the kind.

    Returns:
        The values.

    Raises:
        ValueError: if the kind is unknown.
    """
    match kind:
        case "list":
            return tuple(argument)
        case "product":
            return tuple(f"{first} {second}" for first in argument[0] for second in argument[1])
        case "product_joined":
            return tuple(first + second for first in argument[0] for second in argument[1])
        case "text":
            return tuple(argument[0].format(value) for value in argument[1])
        case "range":
            return tuple(str(value) for value in range(*argument))
        case "number":
            return tuple(f"{value:,} {argument['unit']}" for value in range(*argument["range"]))
        case "dates":
            return tuple(f"{day} {month} {year}" for year in range(*argument) for month in MONTHS for day in range(1, 29))
        case "pair":
            return tuple(f"{one} and {other}" for at, one in enumerate(argument) for other in argument[at + 1 :])
        case "protein":
            return invented(name, argument, lambda rng: two_closed(rng).lower() + rng.choice(("in", "ase")))
        case "college":
            return invented(name, argument, lambda rng: f"{_open_pair(rng)} College")
        case "country":
            return invented(name, argument, lambda rng: f"{_open_pair(rng)}{rng.choice(('nia', 'land', 'ria'))}")
        case "river":
            return invented(name, argument, lambda rng: f"the {_open_pair(rng)}")
        case _:
            raise ValueError(f"types: {name} has a pool of unknown kind {kind!r}.")


def _open_pair(rng: random.Random) -> str:
    first, middle, _ = syllables()
    return rng.choice(first) + rng.choice(middle)
