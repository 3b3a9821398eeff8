"""Pages that a retriever may take for a home page: look-alikes, old and false ones, and some that state nothing."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache

from pydantic import NonNegativeInt

from synthworld.corpus import Page, filled
from synthworld.documents import DOUBTFUL, FILLER, OPENERS, DocumentStyle, WrittenText, origin
from synthworld.knowledge import plural
from synthworld.model import Entity, Fact
from synthworld.names import FIRMS, MEDICINES, TOWNS, Names, Type, stem
from synthworld.names import KINDS as CONDITIONS
from synthworld.templates import Attribute, attributes, entries, subject

KINDS = ("sibling", "same_value", "namesake", "topical", "near_duplicate", "outdated", "counterfactual", "lacking")
WRONG = ("outdated", "counterfactual")  # the kinds that give wrong values to whom the home page is about
OUTDATED = range(2010, 2020)  # years, all before version 0: no page that was ever right is older
REWORDINGS = 6  # drafts of a near-duplicate; the one that repeats the fewest sentences of the home page is kept


@dataclass(frozen=True)
class Distractors:
    """How many pages of each kind there are for each home page."""

    sibling: NonNegativeInt = 0  # other values, of an entity whose name differs by a number: "Karlovenis syndrome type 2"
    same_value: NonNegativeInt = 0  # the same values, of an entity with another name
    namesake: NonNegativeInt = 0  # about an entity of another type whose name begins alike
    topical: NonNegativeInt = 0  # about the type in general: names nobody and states nothing
    near_duplicate: NonNegativeInt = 0  # the same facts in other words: holds the answers
    outdated: NonNegativeInt = 0  # other values of the same entity, with a year before version 0
    counterfactual: NonNegativeInt = 0  # other values of the same entity, without a year, from a source not to be trusted
    lacking: NonNegativeInt = 0  # about the same entity, and states nothing


class Background:
    """What distractors must know of a world: which names are taken, what values could be, and which were right at any time."""

    def __init__(self, versions: Sequence[Sequence[Entity]]) -> None:
        """Collect what distractors may state.

        Args:
            versions: all entities in version 0 and each later version, also later than that of the documents: the text of a page does not
                depend on how far the history is told.
        """
        self.names = frozenset(one.name for version in versions for one in version)
        self._by_type: defaultdict[str, list[str]] = defaultdict(list)
        for one in versions[-1]:
            self._by_type[one.type].append(one.name)
        self._versions = [{one.id: one for one in version} for version in versions]

    def values(self, attribute: Attribute) -> Sequence[str]:
        """All that a value could be, each once; for a link, names in the last version."""
        return attribute.values or self._by_type[str(attribute.link)]

    def right(self, fact: Fact) -> frozenset[str]:
        """The values that the fact's entity has of its attribute in any version."""
        return frozenset(version[fact.entity.id].values[fact.attribute.name] for version in self._versions)


@dataclass(frozen=True)
class _Task:
    """A page of some kind that is to be written for a home page."""

    page: Page  # nothing written yet; about whom the home page is about, and of its date
    n: int  # which of its kind, from 0
    home: Page
    background: Background
    manner: DocumentStyle
    rng: random.Random

    @property
    def facts(self) -> list[Fact]:
        """Of the home page."""
        return [one.fact for one in self.home.written.stated]

    @property
    def type(self) -> Type:
        """Of whom the home page is about."""
        return self.facts[0].entity.type


def distract(home: Page, background: Background, distractors: Distractors, manner: DocumentStyle, seed: int) -> Iterator[Page]:
    """The distractors of a home page, kind by kind, with ids such as "e00000-0~sibling-0".

    They follow what the home page states, and have its date unless their kind says otherwise. What they state, near-duplicates excepted, is
    no fact of the world: the ids of these facts begin with the id of the page.

    Args:
        home: the home page; it states at least one fact.
        background: the world of the page.
        distractors: number of each kind; one is left out if the world has no other value for what it would state.
        manner: style of the pages.
        seed: seed of the world; each page has a random stream of its own.

    Yields:
        Pages with their text.
    """
    for kind, count in asdict(distractors).items():
        for n in range(count):
            id = f"{home.id}~{kind}-{n}"
            page = Page(id, home.entity_id, home.name, kind, home.version, home.year)
            rng = random.Random(f"{seed}/write/{id}/{home.version}")
            written = _KINDS[kind](_Task(page, n, home, background, manner, rng))
            if written:
                yield written


def wrong_values(pages: Iterable[Page]) -> dict[tuple[str, str], list[str]]:
    """The values that outdated and counterfactual pages give, each once and in their order, by (entity id, attribute)."""
    found: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for page in pages:
        for one in page.written.stated if page.kind in WRONG else ():
            found[page.entity_id, one.fact.attribute.name][one.fact.value] = None
    return {key: list(values) for key, values in found.items()}


def _sibling(task: _Task) -> Page | None:
    number = f"type {task.n + 2}" if task.type == "disease" else _roman(task.n + 2)
    return _told(_stranger(task, f"{task.home.name} {number}"), task.type, _wrong(task), task)


def _same_value(task: _Task) -> Page | None:
    names = Names(task.rng, reserved=False)
    page = _stranger(task, _free(task, lambda: names.draw(task.type)))
    return _told(page, task.type, [(one.attribute, one.value) for one in task.facts], task)


def _namesake(task: _Task) -> Page | None:
    first, rng = stem(task.home.name).split()[-1], task.rng  # of a person the last name
    forms: dict[Type, Callable[[], str]] = {
        "disease": lambda: f"{first} {rng.choice(CONDITIONS)}",
        "company": lambda: f"{first} {rng.choice(FIRMS)}",
    }
    if task.type not in {"gene", "person"}:  # with an ending these stems make no name, or one that a reserved world may have
        forms |= {"drug": lambda: first + rng.choice(MEDICINES), "city": lambda: first + rng.choice(TOWNS)}
    type = rng.choice([one for one in forms if one != task.type])
    pool = [(one, values) for one in attributes(type) if (values := task.background.values(one))]
    about = rng.sample(pool, min(len(task.facts), len(pool)))
    return _told(_stranger(task, _free(task, forms[type])), type, [(one, rng.choice(values)) for one, values in about], task)


def _topical(task: _Task) -> Page:
    page = replace(task.page, entity_id="", name=plural(task.type).capitalize())
    return _silent(page, task.rng.sample(_topical_sentences()[task.type], task.rng.randint(4, 6)))


def _near_duplicate(task: _Task) -> Page:
    taken = _sentences(task.home)
    drafts = (filled(task.page, _ordered(task), task.manner, task.rng) for _ in range(REWORDINGS))
    return min(drafts, key=lambda draft: len(_sentences(draft) & taken))


def _outdated(task: _Task) -> Page | None:
    return _told(replace(task.page, year=task.rng.choice(OUTDATED)), task.type, _wrong(task), task)


def _counterfactual(task: _Task) -> Page | None:
    page = replace(task.page, year=None, source=task.rng.choice(DOUBTFUL), trust="low")
    return _told(page, task.type, _wrong(task), task)


def _lacking(task: _Task) -> Page:
    opener = subject(task.rng.choice(OPENERS), task.home.name)
    return _silent(task.page, [opener, *task.rng.sample(FILLER, task.rng.randint(3, 5))])


_KINDS: Mapping[str, Callable[[_Task], Page | None]] = {
    "sibling": _sibling,
    "same_value": _same_value,
    "namesake": _namesake,
    "topical": _topical,
    "near_duplicate": _near_duplicate,
    "outdated": _outdated,
    "counterfactual": _counterfactual,
    "lacking": _lacking,
}


def _stranger(task: _Task, name: str) -> Page:
    """The page, about an entity that the world does not have."""
    return replace(task.page, entity_id=task.page.id, name=name)


def _told(page: Page, type: Type, values: Sequence[tuple[Attribute, str]], task: _Task) -> Page | None:
    """The page with facts of its own; None without values."""
    entity = Entity(page.id, type, page.name, {one.name: value for one, value in values}, {}, "")
    return filled(page, [Fact(entity, *one) for one in values], task.manner, task.rng) if values else None


def _silent(page: Page, sentences: Sequence[str]) -> Page:
    date = [origin(page.year)] if page.year else []
    return replace(page, written=WrittenText("article", " ".join([*date, *sentences])))


def _ordered(task: _Task) -> list[Fact]:
    return task.facts if task.manner.order == "fixed" else task.rng.sample(task.facts, len(task.facts))


def _sentences(page: Page) -> frozenset[str]:
    return frozenset(page.written.text[one.start : one.end] for one in page.written.stated)


def _wrong(task: _Task) -> list[tuple[Attribute, str]]:
    """For each attribute of the home page a value that was never right; nothing for one that has no other."""
    drawn = []
    for fact in task.facts:
        values, right = task.background.values(fact.attribute), task.background.right(fact)
        if right.issuperset(values[: len(right) + 1]):  # were there more values than right ones, one of these would be wrong
            continue
        value = task.rng.choice(values)
        while value in right:
            value = task.rng.choice(values)
        drawn.append((fact.attribute, value))
    return drawn


def _free(task: _Task, draw: Callable[[], str]) -> str:
    """A name that nobody in the world has or had."""
    name = draw()
    while name in task.background.names:
        name = draw()
    return name


def _roman(n: int) -> str:
    return "X" * (n // 10) + ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")[n % 10]


@cache
def _topical_sentences() -> Mapping[str, list[str]]:
    """By type."""
    return entries("topical.yaml")
