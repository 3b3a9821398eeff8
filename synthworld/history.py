"""What happens in the invented world: four versions of it, a year apart, and the log of events that leads from each to the next."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Literal

from synthworld.model import RESERVED_SEED, Entity
from synthworld.names import Names, Type
from synthworld.templates import Attribute, attributes, named

Days = tuple[str, str]  # when something takes effect and when it is announced
Kind = Literal["insert", "change", "delete", "rename", "retract"]
CHANGES: tuple[Kind, ...] = ("change", "retract")  # the kinds that give an attribute another value

FIRST_YEAR = 2020
N_VERSIONS = 4
RETRACTED = 0.1  # share of changes that say that the old value was never right
ONE_IN = 30  # entities a version lose a fact, and diseases a version their name
N_ALWAYS_DELETING = 8  # documented entities, from which on every version deletes a fact
RENAMED: Type = "disease"  # no attribute links to one: a new name changes no value


def year(version: int) -> int:
    """The year that a version describes."""
    return FIRST_YEAR + version


@dataclass(frozen=True)
class Event:
    """One thing that happened to an entity."""

    id: str  # such as v1-0003: the fourth event that leads to version 1
    version: int  # the first that minds it
    kind: Kind  # retract: a change by which the old value was never right
    entity_id: str
    attribute: str  # "" for insert and rename
    old: str  # value or name; "" for insert
    new: str  # value or name; "" for delete
    effective: str  # a date of the version's year, such as 2021-03-14
    announced: str  # the same date, or up to 60 days later
    follows: str = ""  # id of the event that made this one necessary; "" = none did


@dataclass(frozen=True)
class History:
    """The versions of a world, the events between them, and what was true when, by what is known in the last version.

    Values change whether or not a document states them: events may concern an entity's unstated attribute.
    """

    versions: tuple[tuple[Entity, ...], ...]  # by version, all in one order of entities
    events: tuple[Event, ...]  # by version, then as they were created: a follower stands behind what it follows

    def at(self, version: int) -> tuple[Entity, ...]:
        """All entities as the documents of a version describe them, rightly or not.

        Args:
            version: the version, from 0.

        Returns:
            The entities, always in the same order.

        Raises:
            ValueError: if there is no such version.
        """
        if version not in range(len(self.versions)):
            raise ValueError(f"version must be one of 0 to {len(self.versions) - 1}, got {version}.")
        return self.versions[version]

    def values(self, entity_id: str, attribute: str, version: int, known_in: int = N_VERSIONS - 1) -> str:
        """The value that was true in a version, stated or not: a retracted value never was, a deleted fact stays true.

        By what is known in the version `known_in`. What has not appeared yet has the values that it appears with.
        Raises KeyError for an unknown entity or attribute, ValueError for an unknown version.
        """
        if through := named(attribute).through:
            return self.values(self._ids[self.values(entity_id, through[0], version, known_in)], through[1], version, known_in)
        value = self.at(version)[self._places[entity_id]].values[attribute]
        for event in self._changes.get((entity_id, attribute), ()):
            if version < event.version <= known_in:
                if event.kind != "retract":
                    break
                value = event.new
        return value

    def timeline(self, entity_id: str, attribute: str, known_in: int = N_VERSIONS - 1) -> list[tuple[int, str]]:
        """The values that were true one after another until the version `known_in`, each with its first one; neighbours differ.

        It begins with the version in which the entity appears, or with 0 if no document is ever about it.
        """
        documented = (version for version, entities in enumerate(self.versions) if entities[self._places[entity_id]].is_documented)
        versions = range(next(documented, 0), known_in + 1)
        held = [(version, self.values(entity_id, attribute, version, known_in)) for version in versions]
        return [one for at, one in enumerate(held) if at == 0 or one[1] != held[at - 1][1]]

    def changed(self, version: int) -> frozenset[tuple[str, str]]:
        """Keys (entity id, attribute) of the values that the version changed or retracted, and of those that followed."""
        return self._changed[version]

    def touched(self, version: int) -> frozenset[str]:
        """Ids of the entities to which anything happened in a version."""
        return self._touched[version]

    def place(self, entity_id: str) -> int:
        """Where an entity stands in each version. Raises KeyError for an unknown one."""
        return self._places[entity_id]

    @cached_property
    def _changed(self) -> Mapping[int, frozenset[tuple[str, str]]]:
        changes = [one for one in self.events if one.kind in CHANGES]
        return {at: frozenset((one.entity_id, one.attribute) for one in changes if one.version == at) for at in range(len(self.versions))}

    @cached_property
    def _touched(self) -> Mapping[int, frozenset[str]]:
        return {at: frozenset(one.entity_id for one in self.events if one.version == at) for at in range(len(self.versions))}

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {one.id: at for at, one in enumerate(self.versions[0])}

    @cached_property
    def _ids(self) -> Mapping[str, str]:
        return {one.name: one.id for one in self.versions[0]}

    @cached_property
    def _changes(self) -> Mapping[tuple[str, str], list[Event]]:
        changes: dict[tuple[str, str], list[Event]] = {}
        for event in self.events:
            if event.kind in CHANGES:
                changes.setdefault((event.entity_id, event.attribute), []).append(event)
        return changes


def history(entities: Sequence[Entity], newcomers: Mapping[str, int], rng_seed: int) -> History:
    """Draw the events that lead from each version of a world to the next.

    Values of documented entities change with the rate of their attribute, each to another value drawn uniformly; in each version about one
    documented entity in 30 loses a fact, and one disease in 30 its name, at most once. Nothing else happens to a newcomer in the version in
    which it appears. Every kind of event has a random stream of its own.

    Args:
        entities: entities as drawn by `inhabitants`, newcomers already documented.
        newcomers: version in which an entity appears, by its id; 0, or left out, = it was always there.
        rng_seed: below RESERVED_SEED, because new names belong to the evaluated worlds.

    Returns:
        All versions and events.

    Raises:
        ValueError: if the seed is reserved, a newcomer is not a documented entity, or its version does not exist.
    """
    if rng_seed >= RESERVED_SEED:
        raise ValueError(f"rng_seed must be below {RESERVED_SEED:,}, got {rng_seed:,}: reserved worlds have no history.")
    documented = {one.id for one in entities if one.is_documented}
    for id, version in newcomers.items():
        if id not in documented or version not in range(N_VERSIONS):
            raise ValueError(f"a newcomer must be documented and appear in version 0 to {N_VERSIONS - 1}, got {id!r} in {version}.")
    versions = [tuple(replace(one, is_documented=False) if newcomers.get(one.id) else one for one in entities)]
    events: list[Event] = []
    for version in range(1, N_VERSIONS):
        log = _Log(rng_seed, version, versions[-1])
        _delete(log, len(documented))
        _change(log, {(one.entity_id, one.attribute, one.old) for one in events if one.kind == "retract"})
        _rename(log, {one.name for one in entities})
        _insert(log, newcomers)
        versions.append(tuple(log.entities.values()))
        events += log.events
    return History(tuple(versions), tuple(events))


class _Log:
    """The events of one version, numbered as they are found, and the entities as these leave them."""

    def __init__(self, seed: int, version: int, before: Sequence[Entity]) -> None:
        self.seed, self.version = seed, version
        self.events: list[Event] = []
        self.entities, self.by_name = {one.id: one for one in before}, {one.name: one for one in before}

    def stream(self, kind: Kind) -> random.Random:
        return random.Random(f"{self.seed}/events/{self.version}/{kind}")

    def days(self, rng: random.Random) -> Days:
        effective = date(year(self.version), 1, 1) + timedelta(rng.randrange(365))
        return effective.isoformat(), (effective + timedelta(rng.randrange(61))).isoformat()

    def add(self, kind: Kind, after: Entity, attribute: str, old: str, new: str, days: Days, follows: str = "") -> str:
        id = f"v{self.version}-{len(self.events):04d}"
        self.events.append(Event(id, self.version, kind, after.id, attribute, old, new, *days, follows))
        self.entities[after.id] = after
        return id


def _delete(log: _Log, n_documented: int) -> None:
    """No link is deleted, and nobody is left without a fact."""
    rng = log.stream("delete")
    losers = [one for one in log.entities.values() if len(one.stated) > 1 and any(not stated.link for stated in one.stated)]
    n = max(len(losers) // ONE_IN, int(n_documented >= N_ALWAYS_DELETING))
    for one in rng.sample(losers, min(n, len(losers))):
        name = rng.choice([stated.name for stated in one.stated if not stated.link])
        log.add("delete", replace(one, deleted=(*one.deleted, name)), name, one.values[name], "", log.days(rng))


def _change(log: _Log, never: Collection[tuple[str, str, str]]) -> None:
    """Draws for everybody, and for deleted facts, too: who appears, or what is deleted, moves no other change.

    `never` are the values that were retracted: they may come to be true, but none turns out to have been true after all.
    """
    changing, retracting = log.stream("change"), log.stream("retract")
    names = defaultdict(list)
    for one in log.entities.values():
        names[one.type].append(one.name)
    for one in tuple(log.entities.values()):
        for attribute in attributes(one.type):
            pool = names[attribute.link] if attribute.link else attribute.values
            if attribute.rate and len(pool) > 1 and changing.random() < attribute.rate:
                new, days = _other(pool, one.values[attribute.name], changing), log.days(changing)
                is_retraction = retracting.random() < RETRACTED and (one.id, attribute.name, new) not in never
                if one.is_documented and attribute.name not in one.deleted:
                    _set(log, "retract" if is_retraction else "change", one.id, attribute, new, days)


def _other(pool: Sequence[str], value: str, rng: random.Random) -> str:
    """One of the other values, each as likely, from one random number: the last stands in for the value itself."""
    new = pool[rng.randrange(len(pool) - 1)]
    return pool[-1] if new == value else new


def _set(log: _Log, kind: Kind, id: str, attribute: Attribute, new: str, days: Days, follows: str = "") -> None:
    """Gives an attribute its new value, and then what depends on it."""
    one = log.entities[id]
    link = {attribute.name: log.by_name[new].id} if attribute.link else {}
    after = replace(one, values={**one.values, attribute.name: new}, links={**one.links, **link})
    cause = log.add(kind, after, attribute.name, one.values[attribute.name], new, days, follows)
    for other in attributes(one.type):
        if other.through and other.through[0] == attribute.name:
            value = log.by_name[new].values[other.through[1]]
            if value != one.values[other.name]:
                _set(log, kind, id, other, value, days, follows=cause)


def _rename(log: _Log, first: Collection[str]) -> None:
    """`first` are the names that the world began with. No name of anybody comes again, nor one a letter away from it."""
    rng = log.stream("rename")
    names = Names(rng, reserved=False, taken=(*first, *log.by_name))
    found = [one for one in log.entities.values() if one.type == RENAMED and one.is_documented and one.name in first]
    for one in rng.sample(found, min(max(len(found) // ONE_IN, 1), len(found))):
        new = names.draw(RENAMED)
        log.add("rename", replace(one, name=new), "", one.name, new, log.days(rng))


def _insert(log: _Log, newcomers: Mapping[str, int]) -> None:
    """Comes last, so that nothing else happens to a newcomer in that version."""
    rng = log.stream("insert")
    for one in tuple(log.entities.values()):
        if newcomers.get(one.id) == log.version:
            log.add("insert", replace(one, is_documented=True), "", "", one.name, log.days(rng))
