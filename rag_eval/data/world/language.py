"""The language of the invented world: attributes, value pools, phrasings. Read from attributes.yaml, pure otherwise."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

Split = Literal["train", "dev", "test"]

N_TRAIN_STATEMENTS = 5
QUESTION_SPLITS: Mapping[Split, slice] = {"train": slice(0, 6), "dev": slice(6, 7), "test": slice(7, None)}

OPENERS = (
    "{x} is a rare genetic disorder.",
    "{x} is an uncommon hereditary condition.",
    "{x} belongs to the rare diseases.",
    "Little has been written about {x}.",
    "{x} is seldom seen in practice.",
    "This note concerns {x}.",
)
FOLLOW_UP_SUBJECT = "this disease"

KINDS = ("syndrome", "disease", "disorder", "ataxia", "dystrophy", "anemia")
_ONSETS = ("b", "br", "d", "dr", "f", "g", "gl", "h", "j", "k", "kr", "l", "m", "n", "p", "r", "s", "t", "v", "z")
_VOWELS = ("a", "e", "i", "o", "u")
_CODAS = ("l", "m", "n", "r", "s", "x")


@dataclass(frozen=True)
class Attribute:
    """One thing that can be said about a disease."""

    name: str
    values: tuple[str, ...]  # drawn uniformly
    statements: tuple[str, ...]  # templates with {x} and then {v}
    questions: tuple[str, ...]  # templates with {x}

    @property
    def bits(self) -> float:
        """Entropy of one value in bits: log2 of the size of the pool."""
        return math.log2(len(self.values))

    def statements_of(self, split: Split) -> tuple[str, ...]:
        """The statement templates of a split; dev has none of its own and shares train's."""
        return self.statements[N_TRAIN_STATEMENTS:] if split == "test" else self.statements[:N_TRAIN_STATEMENTS]

    def questions_of(self, split: Split) -> tuple[str, ...]:
        """The question templates of a split; the three splits share none."""
        return self.questions[QUESTION_SPLITS[split]]


@cache
def attributes() -> tuple[Attribute, ...]:
    """All attributes, in the order of attributes.yaml."""
    raw = yaml.safe_load(files(__package__).joinpath("attributes.yaml").read_text(encoding="utf-8"))
    return tuple(
        Attribute(name, _pool(name, entry["pool"]), tuple(entry["statements"]), tuple(entry["questions"])) for name, entry in raw.items()
    )


def syllables(rng: random.Random, n: int) -> str:
    """An invented word of n syllables, each a consonant and a vowel, closed by a consonant."""
    return "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(n)) + rng.choice(_CODAS)


def disease_stem(rng: random.Random) -> str:
    """The invented part of a disease's name: three syllables of pools so large that one syllable nearly tells diseases apart."""
    first, middle, last = _stem_syllables()
    return rng.choice(first) + rng.choice(middle) + rng.choice(last)


@cache
def _stem_syllables() -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """120 beginnings (capital, closed), 40 middles (open), 120 ends (closed): 576,000 names."""
    rng = random.Random("pool/stem")
    simple = "bdfghjklmnprstvz"

    def closed() -> str:
        return rng.choice(simple) + rng.choice(_VOWELS) + rng.choice("lmnrsx")

    middle = _distinct(40, lambda: rng.choice(simple) + rng.choice(_VOWELS))
    return _distinct(120, lambda: closed().capitalize()), middle, _distinct(120, closed)


def subject(template: str, name: str) -> str:
    """The template with the disease's name in the place of {x}; a capital opens the sentence."""
    sentence = template.replace("{x}", name)
    return sentence[0].upper() + sentence[1:]


def state(template: str, name: str, value: str) -> str:
    """A sentence that says of the named disease that it has the value."""
    sentence = subject(template, name).replace("{v}", value)
    return sentence if value[0].lower() not in "aeioux" else sentence.replace(f" a {value}", f" an {value}")


def _pool(name: str, spec: Mapping[str, Any]) -> tuple[str, ...]:
    """The values of an attribute; invented words come from a generator that depends on the attribute alone."""
    ((kind, argument),) = spec.items()
    rng = random.Random(f"pool/{name}")
    match kind:
        case "list":
            return tuple(argument)
        case "product":
            return tuple(f"{first} {second}" for first in argument[0] for second in argument[1])
        case "text":
            return tuple(argument[0].format(value) for value in argument[1])
        case "range":
            return tuple(str(value) for value in range(*argument))
        case "gene":
            return _distinct(argument, lambda: "".join(rng.sample("ABCDEFGHKLMNPRSTVXZ", 3)) + rng.choice("123456789"))
        case "drug":
            return _distinct(argument, lambda: syllables(rng, 2) + rng.choice(("ide", "ol", "ine", "azole")))
        case "surname":
            return _distinct(argument, lambda: "Dr. " + (syllables(rng, 2)).capitalize())
        case "town":
            return _distinct(argument, lambda: syllables(rng, 1).capitalize() + rng.choice(("burg", "ford", "stad", "mouth")))
        case _:
            raise ValueError(f"attributes.yaml: {name} has a pool of unknown kind {kind!r}.")


def _distinct(n: int, draw: Any) -> tuple[str, ...]:
    seen: dict[str, None] = {}
    while len(seen) < n:
        seen[draw()] = None
    return tuple(seen)


def majority_share(values: Sequence[str]) -> float:
    """Share of the most frequent value: what always answering it would score."""
    return max(values.count(value) for value in set(values)) / len(values)
