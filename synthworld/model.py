"""The invented world: entities of six types with invented names, values drawn independently of the names, and links between them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from synthworld.names import TYPES, Names, Type
from synthworld.templates import Attribute, attributes

Value = tuple[str, str, str]  # entity id, attribute, value

RESERVED_SEED = 1_000_000  # worlds of this seed and more are for training the embedded model, never for evaluation


@dataclass(frozen=True)
class Entity:
    """Somebody or something with a name. Every attribute of its type has a value; one of them is stated in no document."""

    id: str
    type: Type
    name: str
    values: Mapping[str, str]  # attribute -> value
    links: Mapping[str, str]  # attribute -> id of the entity that the value names
    unstated: str  # the attribute that no document states
    is_documented: bool = True  # False: other entities name it, and no document is about it
    deleted: tuple[str, ...] = ()  # attributes that documents state no longer

    @property
    def stated(self) -> tuple[Attribute, ...]:
        """The attributes that documents state."""
        if not self.is_documented:
            return ()
        return tuple(one for one in attributes(self.type) if one.name != self.unstated and one.name not in self.deleted)

    def __hash__(self) -> int:
        return hash(self.id)


@dataclass(frozen=True)
class Fact:
    """That an entity has a value of an attribute, since some year."""

    entity: Entity
    attribute: Attribute
    value: str
    since: int | None = None  # None = always

    @property
    def id(self) -> str:
        """Names the fact among all versions of a world."""
        return f"{self.entity.id}.{self.attribute.name}" + (f".{self.since}" if self.since else "")

    @property
    def key(self) -> tuple[str, str]:
        """Which value of whom: facts of one key succeed each other."""
        return self.entity.id, self.attribute.name

    @property
    def content(self) -> Value:
        """Which value of whom, whenever it began."""
        return *self.key, self.value

    def __hash__(self) -> int:
        return hash(self.id)


def facts_of(entity: Entity, which: Iterable[Attribute] | None = None) -> tuple[Fact, ...]:
    """Its values of these attributes, in their order; by default all that documents may state, in the order of its type's attributes."""
    return tuple(Fact(entity, attribute, entity.values[attribute.name]) for attribute in (entity.stated if which is None else which))


def inhabitants(rng: random.Random, documented: Mapping[Type, int], others: Mapping[Type, int], reserved: bool) -> tuple[Entity, ...]:
    """Draw entities with distinct names, and then their values.

    A link's value is the name of an entity of that type, documented or not, drawn uniformly. What depends on another
    attribute follows from the entity that it names.

    Args:
        rng: source of all randomness.
        documented: how many of each type documents are written about.
        others: how many more of each type are only named.
        reserved: whether the names belong to the worlds reserved for training the embedded model.

    Returns:
        The documented entities first, in the order of TYPES, with ids that count from e00000; then the others.

    Raises:
        ValueError: if a type that is linked to has no entity.
    """
    names = Names(rng, reserved)
    wanted = [(type, True) for type in TYPES for _ in range(documented.get(type, 0))]
    wanted += [(type, False) for type in TYPES for _ in range(others.get(type, 0))]
    bare = [
        Entity(f"e{at:05d}", type, names.draw(type), {}, {}, rng.choice(attributes(type)).name, is_documented)
        for at, (type, is_documented) in enumerate(wanted)
    ]
    by_type = {type: [one for one in bare if one.type == type] for type in TYPES}
    return with_dependents(_drawn(one, by_type, rng) for one in bare)


def _drawn(entity: Entity, by_type: Mapping[Type, Sequence[Entity]], rng: random.Random) -> Entity:
    values, links = {}, {}
    for attribute in attributes(entity.type):
        if attribute.through:
            continue
        if attribute.link:
            if not by_type[attribute.link]:
                raise ValueError(f"{attribute.name} of a {entity.type} names a {attribute.link}, and the world has none.")
            other = rng.choice(by_type[attribute.link])
            values[attribute.name], links[attribute.name] = other.name, other.id
        else:
            values[attribute.name] = rng.choice(attribute.values)
    return replace(entity, values=values, links=links)


def with_dependents(entities: Iterable[Entity]) -> tuple[Entity, ...]:
    """The entities with the values that follow from others filled in anew."""
    all_of = tuple(entities)
    by_id = {one.id: one for one in all_of}
    return tuple(_dependent(one, by_id) for one in all_of)


def _dependent(entity: Entity, by_id: Mapping[str, Entity]) -> Entity:
    values, links = dict(entity.values), dict(entity.links)
    for attribute in attributes(entity.type):
        if attribute.through:
            via, then = attribute.through
            other = by_id[entity.links[via]]
            values[attribute.name], links[attribute.name] = other.values[then], other.links[then]
    return replace(entity, values=values, links=links) if values != entity.values or links != entity.links else entity
