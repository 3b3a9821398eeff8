"""Which facts of a document a question takes, told from the question as a dataset gives it."""

from __future__ import annotations

from rag_eval.types import Example
from synthworld.names import TYPES
from synthworld.templates import attributes

# Kinds of question that take facts of several attributes, all of which they name.
OF_SEVERAL = ("two_hop", "three_hop", "true_premise", "long", "extreme", "mean")


def asked_attributes(example: Example) -> frozenset[str]:
    """Names of the attributes that an answerable question of the world takes facts of; none of other questions.

    It takes those of its evidence documents' facts; of a document that states two of them, a question of several hops
    may take only one.
    """
    attribute = example.meta.get("attribute")
    if not isinstance(attribute, str) or not attribute:
        return frozenset()
    if example.meta.get("kind") not in OF_SEVERAL:
        return frozenset({attribute})
    return frozenset({attribute, *(one.name for type in TYPES for one in attributes(type) if one.noun in example.question)})
