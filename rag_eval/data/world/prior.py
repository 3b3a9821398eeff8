"""What can be known of an invented world without having seen it: bits of its facts, and the score of the best guesser."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rag_eval.data.world.language import attributes
from rag_eval.types import Example


def bits(facts: Iterable[str]) -> dict[str, float]:
    """Entropy of stated facts in bits, by attribute: log2 of the pool's size for each, because values are drawn uniformly.

    Args:
        facts: the attribute of every stated fact.
    """
    of_one = {attribute.name: attribute.bits for attribute in attributes()}
    return {name: n * of_one[name] for name, n in sorted(Counter(facts).items())}


def guess_before(questions: Sequence[Example]) -> float:
    """Expected exact match of whoever knows the pools and nothing of this world: the mean of 1 / pool size.

    Over answerable questions about one attribute each, as `meta["attribute"]` names it.
    """
    sizes = {attribute.name: len(attribute.values) for attribute in attributes()}
    asked = [example for example in questions if example.is_answerable]
    return sum(1 / sizes[str(example.meta["attribute"])] for example in asked) / len(asked)


def guess_knowing_frequencies(questions: Sequence[Example]) -> float:
    """Exact match of the best constant answer to each kind of these questions: no reader without their facts does better."""
    by_kind: dict[str, Counter[str]] = {}
    for example in questions:
        if example.is_answerable:
            by_kind.setdefault(str(example.meta["attribute"]), Counter())[example.answers[0]] += 1
    n = sum(counts.total() for counts in by_kind.values())
    return sum(max(counts.values()) for counts in by_kind.values()) / n
