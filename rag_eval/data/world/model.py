"""The invented world: diseases with names from a syllable automaton and values drawn independently of the names."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rag_eval.data.world.language import KINDS, OPENERS, Attribute, Split, attributes, disease_stem, state, subject

RESERVED_SEED = 1_000_000  # worlds of this seed and more are for training the embedded model, never for evaluation


@dataclass(frozen=True)
class Disease:
    """An invented disease: every attribute has a value, one of them is stated in no document."""

    id: str
    name: str
    values: Mapping[str, str]  # attribute -> value
    unstated: str  # the attribute that no document states

    @property
    def stated(self) -> tuple[Attribute, ...]:
        """The attributes that documents state."""
        return tuple(attribute for attribute in attributes() if attribute.name != self.unstated)


def diseases(rng: random.Random, n: int, reserved: bool) -> Iterator[Disease]:
    """Draw n diseases with distinct names.

    Reserved and other worlds share no name: the parity of the CRC-32 of a stem decides to which it belongs,
    so a model trained on reserved worlds has met no entity, and hence no fact, of an evaluated one.
    """
    seen: set[str] = set()
    while len(seen) < n:
        stem = disease_stem(rng)
        if stem in seen or zlib.crc32(stem.encode()) % 2 != reserved:
            continue
        seen.add(stem)
        values = {attribute.name: rng.choice(attribute.values) for attribute in attributes()}
        name = f"{stem} {rng.choice(KINDS)}"
        yield Disease(f"e{len(seen) - 1:05d}", name, values, rng.choice(attributes()).name)


def article(disease: Disease, stated: Sequence[Attribute], rng: random.Random, split: Split, opener: bool = True) -> str:
    """A few sentences about one disease, in the order given, in statement phrasings of the split."""
    sentences = [subject(rng.choice(OPENERS), disease.name)] if opener else []
    sentences += [state(rng.choice(attribute.statements_of(split)), disease.name, disease.values[attribute.name]) for attribute in stated]
    return " ".join(sentences)
