"""The documents of an invented world: which facts share a page, when a page is written anew, and how many are about whom."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rag_eval.types import Document
from synthworld.documents import DocumentStyle, WrittenText, write
from synthworld.history import year
from synthworld.model import Entity, Fact, Value
from synthworld.templates import Attribute, attributes

FACTS_A_DOCUMENT = 4
MOST = 40  # pages about the most popular entity
_UNWRITTEN = WrittenText("article", "")


@dataclass(frozen=True)
class Page:
    """A document, and all that is known of it."""

    id: str
    entity_id: str  # whom it is about; "" = nobody
    name: str  # of whom it is about, when it was written: the title
    kind: str  # home: each fact stands on one of these; more: states some again; else one of distractors.KINDS
    version: int  # in which it was written
    year: int | None = None  # when it was written, as it says; None = it does not
    source: str = ""  # who wrote it, as it says; "" = it does not
    trust: Literal["high", "low"] = "high"  # whether the source is to be trusted
    written: WrittenText = _UNWRITTEN

    @property
    def document(self) -> Document:
        """As a dataset gives it."""
        facts = [{"id": one.fact.id, "start": one.start, "end": one.end} for one in self.written.stated]
        meta = {"facts": facts, "version": self.version, "year": self.year, "source": self.source, "trust": self.trust, "kind": self.kind}
        return Document(self.id, self.written.text, self.name, {key: value for key, value in meta.items() if value not in (None, "")})


def pages(
    versions: Sequence[Sequence[Entity]], seed: int, manner: DocumentStyle, popularity: float, keep_old_documents: bool, is_dated: bool
) -> Iterator[Page]:
    """The documents that state the facts of a world in the last of some versions, entity by entity.

    A fact is stated since the year of the version in which its value began, or in which its entity appeared. Which facts share a page is
    decided once; the text of a page changes in the versions in which one of these facts or the name does.

    Args:
        versions: all entities in version 0 and each later version, always in the same order.
        seed: seed of the world; each page has random streams of its own.
        manner: style of the pages.
        popularity: exponent s: the entity of rank r has MOST * r ** -s pages, or its home pages if those are more; 0 = home pages only.
        keep_old_documents: whether a rewritten page is added as "id@version" instead of replacing the old one.
        is_dated: whether pages state the year in which they were written.

    Yields:
        Pages with their text.

    Raises:
        ValueError: if the versions do not list the same entities.
    """
    places = ranks(versions, seed) if popularity else {}
    for states in zip(*versions, strict=True):
        if len({one.id for one in states}) > 1:
            raise ValueError(f"versions must list the same entities in one order, got {[one.id for one in states]} in one place.")
        entity = states[-1]
        if not entity.is_documented:
            continue
        n = round(MOST * places[entity.id] ** -popularity) if popularity else 0
        for blank, topics in _plans(entity, n, seed, manner):
            drafts = _drafts(states, topics)
            for version, facts in drafts if keep_old_documents else drafts[-1:]:
                if not facts:  # all were deleted
                    continue
                id = blank.id if version == drafts[0][0] or not keep_old_documents else f"{blank.id}@{version}"
                page = replace(blank, id=id, name=facts[0].entity.name, version=version, year=year(version) if is_dated else None)
                yield filled(page, facts, manner, random.Random(f"{seed}/write/{blank.id}/{version}"))


def ranks(versions: Sequence[Sequence[Entity]], seed: int) -> dict[str, int]:
    """Who is how popular: 1 for the most popular of the documented entities, by id.

    The order is random. Who appears in a later version comes after all who were there before, and so moves nobody.
    """
    places: dict[str, int] = {}
    for version, entities in enumerate(versions):
        fresh = [one.id for one in entities if one.is_documented and one.id not in places]
        random.Random(f"{seed}/ranks/{version}").shuffle(fresh)
        places |= {id: len(places) + at for at, id in enumerate(fresh, 1)}
    return places


def filled(page: Page, facts: Sequence[Fact], manner: DocumentStyle, rng: random.Random) -> Page:
    """The page with the facts written down, at least one; news names a source if the page has none."""
    written = write(facts, manner, rng, "train", page.year, page.source)
    return replace(page, source=written.source, written=written)


def stating(pages: Iterable[Page]) -> dict[Value, list[Page]]:
    """For each value of whom, the pages that state it, in their order."""
    found: defaultdict[Value, list[Page]] = defaultdict(list)
    for page in pages:
        for one in page.written.stated:
            found[one.fact.content].append(page)
    return dict(found)


def _plans(entity: Entity, n: int, seed: int, manner: DocumentStyle) -> Iterator[tuple[Page, Sequence[Attribute]]]:
    """What the pages about an entity are for in every version: the home pages, and others until there are n."""
    pool = [one for one in attributes(entity.type) if one.name != entity.unstated]
    topics = _picked(pool, len(pool), manner, random.Random(f"{seed}/pages/{entity.id}"))
    homes = [topics[at : at + FACTS_A_DOCUMENT] for at in range(0, len(topics), FACTS_A_DOCUMENT)]
    for at, topics in enumerate(homes):
        yield Page(f"{entity.id}-{at}", entity.id, entity.name, "home", 0), topics
    for at in range(n - len(homes)):
        id = f"{entity.id}-more-{at}"
        rng = random.Random(f"{seed}/pages/{id}")
        yield Page(id, entity.id, entity.name, "more", 0), _picked(pool, rng.randint(1, min(FACTS_A_DOCUMENT, len(pool))), manner, rng)


def _picked(pool: Sequence[Attribute], n: int, manner: DocumentStyle, rng: random.Random) -> Sequence[Attribute]:
    picked = rng.sample(pool, n)
    return picked if manner.order == "permuted" else sorted(picked, key=pool.index)


def _drafts(states: Sequence[Entity], topics: Sequence[Attribute]) -> list[tuple[int, list[Fact]]]:
    """The versions in which a page was written anew, with what it then stated: nothing, once all its facts are deleted."""
    drafts: list[tuple[int, list[Fact]]] = []
    since: Mapping[str, int] = {}
    before: tuple[str, Mapping[str, str]] = "", {}
    for version, entity in enumerate(states):
        if not entity.is_documented:
            continue
        values = {one.name: entity.values[one.name] for one in topics if one.name not in entity.deleted}
        if before == (entity.name, values):
            continue
        since = {name: since[name] if before[1].get(name) == value else year(version) for name, value in values.items()}
        before = entity.name, values
        drafts.append((version, [Fact(entity, one, values[one.name], since[one.name]) for one in topics if one.name in values]))
    return drafts
