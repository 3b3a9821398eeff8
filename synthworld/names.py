"""Invented names from syllables, a form for each type of entity. No two names are one slip of the pen apart, unless meant to be."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Literal, get_args

Type = Literal["disease", "gene", "drug", "person", "company", "city"]
TYPES: tuple[Type, ...] = get_args(Type)

KINDS = ("syndrome", "disease", "disorder", "ataxia", "dystrophy", "anemia")  # of diseases: the second word of a name
FIRMS = ("Labs", "Pharma", "Works", "Group", "Partners")
TOWNS = ("burg", "ford", "stad", "mouth")
MEDICINES = ("ide", "ol", "ine", "azole")

PATIENCE = 60  # tries, half of which fail because the name belongs to the other kind of world

_CONSONANTS = "bdfghjklmnprstvz"
_VOWELS = "aeiou"
_CODAS = "lmnrsx"
_LETTERS = "ABCDEFGHKLMNPRSTVXZ"


class Names:
    """Draws names that were not drawn before, nor any that differ from one of these by a single letter.

    Reserved and other names never meet: the parity of the CRC-32 of a stem decides to which it belongs, so a model that
    was trained on reserved worlds has met no entity, and hence no fact, of an evaluated one.
    """

    def __init__(self, rng: random.Random, reserved: bool, taken: Iterable[str] = ()) -> None:
        """Start to draw names.

        Args:
            rng: source of all randomness.
            reserved: whether the names belong to reserved worlds or to evaluated ones.
            taken: names drawn before.
        """
        self._rng, self._reserved = rng, reserved
        self._taken = {near for name in taken for near in _near(stem(name).lower())}

    def draw(self, type: Type) -> str:
        """The next name of a type. Where short stems are nearly used up it gets one syllable more for each PATIENCE tries."""
        tried = 0
        while True:
            stem = _STEMS[type](self._rng, tried // PATIENCE)
            near = set(_near(stem.lower()))
            if zlib.crc32(stem.encode()) % 2 == self._reserved and self._taken.isdisjoint(near):
                self._taken |= near
                return _NAMES[type](self._rng, stem)
            tried += 1


def stem(name: str) -> str:
    """The invented part of a name: all of it, but for the kind of disease or firm and for the ending of a drug or a city."""
    first, _, second = name.partition(" ")
    if second in (*KINDS, *FIRMS):
        return first
    ending = next((one for one in (*TOWNS, *MEDICINES) if first.endswith(one)), "") if not second else ""
    return name.removesuffix(ending)


def invented(key: str, n: int, draw: Callable[[random.Random], str]) -> tuple[str, ...]:
    """n distinct words of a generator that depends on the key alone."""
    rng = random.Random(f"pool/{key}")
    return _distinct(n, lambda: draw(rng))


def _distinct(n: int, draw: Callable[[], str]) -> tuple[str, ...]:
    seen: dict[str, None] = {}
    while len(seen) < n:
        seen[draw()] = None
    return tuple(seen)


@cache
def syllables() -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """120 beginnings (closed), 40 middles (open), 120 ends (closed): so many that one syllable nearly tells names apart."""
    rng = random.Random("pool/stem")

    def closed() -> str:
        return rng.choice(_CONSONANTS) + rng.choice(_VOWELS) + rng.choice(_CODAS)

    middle = _distinct(40, lambda: rng.choice(_CONSONANTS) + rng.choice(_VOWELS))
    return _distinct(120, lambda: closed().capitalize()), middle, _distinct(120, closed)


def two_closed(rng: random.Random, n_more: int = 0) -> str:
    """A capital word of a beginning, n_more middles and an end, such as Karnis."""
    first, middle, last = syllables()
    return rng.choice(first) + "".join(rng.choice(middle) for _ in range(n_more)) + rng.choice(last)


def _three(rng: random.Random, n_more: int) -> str:
    return two_closed(rng, n_more + 1)


def _person(rng: random.Random, n_more: int) -> str:
    first, middle, _ = syllables()
    return f"{rng.choice(first)}{rng.choice(middle)} {two_closed(rng, n_more)}"


def _gene(rng: random.Random, n_more: int) -> str:
    letters = rng.sample(_LETTERS, 4)
    number = "".join(rng.choice("123456789") for _ in range(n_more + 1))
    return f"{letters[0]}{letters[1]}{number}{letters[2]}{letters[3]}"


_STEMS: Mapping[Type, Callable[[random.Random, int], str]] = {  # with so many syllables or digits more than usual
    "disease": _three,
    "gene": _gene,
    "drug": _three,
    "person": _person,
    "company": _three,
    "city": two_closed,
}
_NAMES: Mapping[Type, Callable[[random.Random, str], str]] = {
    "disease": lambda rng, stem: f"{stem} {rng.choice(KINDS)}",
    "gene": lambda rng, stem: stem,
    "drug": lambda rng, stem: stem + rng.choice(MEDICINES),
    "person": lambda rng, stem: stem,
    "company": lambda rng, stem: f"{stem} {rng.choice(FIRMS)}",
    "city": lambda rng, stem: stem + rng.choice(TOWNS),
}


def _near(word: str) -> Iterator[str]:
    """The word, and it without each of its letters: words that are one edit apart share one of these."""
    yield word
    yield from (word[:at] + word[at + 1 :] for at in range(len(word)))
