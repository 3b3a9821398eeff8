"""Questions about all entities that share a value: how many, which, the most of something, the mean."""

from __future__ import annotations

import random
from dataclasses import replace

from rag_eval.types import Grading
from synthworld.knowledge import SEPARATOR, KnowledgeBase, WorldQuestion, asking_for, comparable, mean_of, plural, worded
from synthworld.model import Fact
from synthworld.templates import Split, attributes


def superlative(word: str) -> str:
    """Of a comparative: earliest of earlier, lowest of lower."""
    return f"{word.removesuffix('er')}est"


def _group(known: KnowledgeBase, fact: Fact) -> list[Fact]:
    """The facts that share the value."""
    return sorted(known.by_value[fact.attribute.name, fact.value], key=lambda one: one.entity.id)


def _grouping(fact: Fact) -> dict[str, str]:
    return {"types": plural(fact.entity.type), "noun": fact.attribute.noun, "v": fact.value}


def ask_count(known: KnowledgeBase, fact: Fact, split: Split, rng: random.Random) -> WorldQuestion:
    group = _group(known, fact)
    text = worded("count", split, rng, fact.entity.type, **_grouping(fact))
    return replace(asking_for("count", text, str(len(group)), group, Grading("number")), cluster=_cluster(fact))


def ask_list(known: KnowledgeBase, fact: Fact, split: Split, rng: random.Random) -> WorldQuestion | None:
    group = _group(known, fact)
    if len(group) < 2:
        return None
    text = worded("list", split, rng, fact.entity.type, **_grouping(fact))
    answer = SEPARATOR.join(one.entity.name for one in group)
    return replace(asking_for("list", text, answer, group, Grading("set")), cluster=_cluster(fact))


def ask_extreme(known: KnowledgeBase, fact: Fact, split: Split, rng: random.Random) -> WorldQuestion | None:
    measured = _measured(known, fact, rng)
    if not measured:
        return None
    order = measured[0].attribute.order or ("", "")
    is_larger = rng.random() < 0.5
    most = (max if is_larger else min)(measured, key=comparable)
    slots = {
        **_grouping(fact),
        "noun2": most.attribute.noun,
        "most": superlative(order[is_larger]),
    }
    facts = [*_group(known, fact), *(one for one in measured if one is not most), most]
    return replace(
        asking_for("extreme", worded("extreme", split, rng, fact.entity.type, **slots), most.value, facts), cluster=_cluster(fact)
    )


def ask_mean(known: KnowledgeBase, fact: Fact, split: Split, rng: random.Random) -> WorldQuestion | None:
    measured = [one for one in _measured(known, fact, rng) if one.attribute.kind == "number"]
    if not measured:
        return None
    slots = {**_grouping(fact), "noun2": measured[0].attribute.noun}
    text = worded("mean", split, rng, fact.entity.type, **slots)
    asked = asking_for("mean", text, mean_of([one.value for one in measured]), [*_group(known, fact), *measured], Grading("number"))
    return replace(asked, cluster=_cluster(fact))


def _measured(known: KnowledgeBase, fact: Fact, rng: random.Random) -> list[Fact]:
    """One ordered attribute of everybody who shares the value; nothing where some of them lack it, or fewer than two share it."""
    group = _group(known, fact)
    ordered = [one.name for one in attributes(fact.entity.type) if one.order and one.name != fact.attribute.name]
    if len(group) < 2 or not ordered:
        return []
    name = rng.choice(ordered)
    found = [known.by_entity[one.entity.id].get(name) for one in group]
    return [one for one in found if one] if all(found) else []


def _cluster(fact: Fact) -> str:
    """Questions about one group of entities belong together."""
    return f"{fact.attribute.name}={fact.value}"
