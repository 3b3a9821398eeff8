"""What the documents of one version tell, and what they would have answered to a question that is asked of another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property

from synthworld.history import History
from synthworld.knowledge import SEPARATOR, WorldQuestion, comparable
from synthworld.model import Entity, Fact

HOPS = ("two_hop", "three_hop")
BY_VALUE = ("reverse", "count", "list", "extreme", "mean")  # kinds that ask for those who have the value of the first fact


class VersionAnswers:
    """The answers that stand in the documents of a version."""

    def __init__(self, past: History, version: int) -> None:
        self._past, self._entities = past, past.at(version)

    def tells_of(self, id: str) -> bool:
        """Whether documents are about an entity."""
        return self._entity(id).is_documented

    def holders(self, fact: Fact) -> list[Entity]:
        """Those who have the value of a fact, in the order of their ids."""
        return self._by_value.get((fact.attribute.name, fact.value), [])

    def answer(self, asked: WorldQuestion) -> str | None:
        """What would have been right by these documents.

        None where they do not give what it takes, and of kinds whose answer is neither one value nor the names or the number
        of those who have one: yes or no, JSON, several values at once, the most of a group.
        """
        first, last = asked.facts[0], asked.facts[-1]
        if asked.kind in HOPS:
            return self._at_the_end(asked)
        if asked.kind == "comparison":
            return self._compared(first, last, asked.answers[0])
        if asked.kind in BY_VALUE:
            return self._by_holders(asked.kind, [one.name for one in self.holders(first)])
        return self._value(last.entity.id, last.attribute.name) if last.value in asked.answers else None

    def _entity(self, id: str) -> Entity:
        return self._entities[self._past.place(id)]

    def _value(self, id: str, name: str) -> str | None:
        entity = self._entity(id)
        return entity.values[name] if any(one.name == name for one in entity.stated) else None

    def _at_the_end(self, asked: WorldQuestion) -> str | None:
        """Through whom values named then."""
        id: str | None = asked.facts[0].entity.id
        value = None
        for fact in asked.facts:
            value = self._value(id, fact.attribute.name) if id else None
            id = self._entity(id).links.get(fact.attribute.name) if id and value else None
        return value

    def _compared(self, one: Fact, other: Fact, right: str) -> str | None:
        """Which of the two names that are offered was right; `right` is the one that is right now."""
        is_larger = (comparable(one) > comparable(other)) == (one.entity.name == right)
        values = [self._value(fact.entity.id, fact.attribute.name) for fact in (one, other)]
        then = [Fact(fact.entity, fact.attribute, value) for fact, value in zip((one, other), values, strict=True) if value]
        if len(then) < 2 or comparable(then[0]) == comparable(then[1]):
            return None
        return (max if is_larger else min)(then, key=comparable).entity.name

    def _by_holders(self, kind: str, names: list[str]) -> str | None:
        if kind == "reverse":
            return names[0] if len(names) == 1 else None
        if kind == "count":
            return str(len(names)) if names else None
        return SEPARATOR.join(names) if kind == "list" and names else None

    @cached_property
    def _by_value(self) -> Mapping[tuple[str, str], list[Entity]]:
        found: defaultdict[tuple[str, str], list[Entity]] = defaultdict(list)
        for entity in sorted(self._entities, key=lambda one: one.id):
            for one in entity.stated:
                found[one.name, entity.values[one.name]].append(entity)
        return found
