"""What can be known of an invented world without having seen it: bits of its facts, and the score of the best guesser."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from rag_eval.types import Example
from synthworld.model import Entity, Fact
from synthworld.questions import N_OPTIONS
from synthworld.templates import named

# Kinds of question whose answer is a value of the attribute that `meta["attribute"]` names.
OF_ONE_VALUE = ("forward", "paraphrase", "as_of", "true_premise", "two_hop", "three_hop", "json", "number")
# Kinds whose answers are offered, and how often the best blind choice is right: "none of these" is in half of its questions.
OFFERED = {"boolean": 1 / 2, "comparison": 1 / 2, "choice": 1 / N_OPTIONS, "none_of_these": 1 / 2}


def pool_size(attribute: str, entities: Sequence[Entity]) -> int:
    """How many values an attribute can have; for a link, how many entities of that type there are."""
    one = named(attribute)
    return len(one.values) or sum(other.type == one.link for other in entities)


def bits(facts: Iterable[Fact], entities: Sequence[Entity]) -> dict[str, float]:
    """Entropy of facts in bits, by attribute: log2 of the pool's size for each, because values are drawn uniformly.

    What follows from another attribute adds nothing.
    """
    counts = Counter(fact.attribute.name for fact in facts)
    return {name: 0.0 if named(name).through else n * math.log2(pool_size(name, entities)) for name, n in sorted(counts.items())}


def guess_before(questions: Sequence[Example], entities: Sequence[Entity]) -> float | None:
    """Expected exact match of whoever knows the pools and nothing of this world: of values, the mean of 1 / number of possible answers.

    Over answerable questions but those of `kinds_left_out`; None where no other is left.
    """
    types = Counter(one.type for one in entities)
    shares = []
    for example in questions:
        kind, attribute = example.meta["kind"], example.meta["attribute"]
        if kind in OF_ONE_VALUE and example.is_answerable:
            shares.append(1 / pool_size(attribute, entities))
        elif kind in OFFERED and example.is_answerable:
            shares.append(OFFERED[kind])
        elif kind == "reverse":
            shares.append(1 / types[named(attribute).type])
    return sum(shares) / len(shares) if shares else None


def kinds_left_out(questions: Sequence[Example]) -> list[str]:
    """Kinds of answerable question that `guess_before` says nothing of: sets, counts and means have no pool."""
    return sorted({one.meta["kind"] for one in questions if one.is_answerable} - {*OF_ONE_VALUE, *OFFERED, "reverse"})


def guess_knowing_frequencies(questions: Sequence[Example]) -> float:
    """Exact match of the best constant answer to each attribute and kind of these questions, or of a blind choice where that is better.

    A blind choice is one of the answers that a question offers.
    """
    by_kind: dict[tuple[str, str], Counter[str]] = {}
    for example in questions:
        if example.is_answerable:
            by_kind.setdefault((example.meta["kind"], example.meta["attribute"]), Counter())[example.answers[0]] += 1
    n = sum(counts.total() for counts in by_kind.values())
    return sum(max(*counts.values(), OFFERED.get(kind, 0.0) * counts.total()) for (kind, _), counts in by_kind.items()) / n
