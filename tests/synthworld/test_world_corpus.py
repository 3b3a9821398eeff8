"""Every fact stands on one home page, a page is written anew only when it must be, and the popular have more of them."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace

import pytest

from synthworld.corpus import MOST, Page, pages, ranks
from synthworld.documents import SOURCES, STYLES, DocumentStyle, Stating
from synthworld.model import Entity, facts_of, inhabitants
from synthworld.names import Type
from synthworld.templates import state, subject, this
from tests.claims import every
from tests.data.pages import same_as

pytestmark = pytest.mark.flow

ALL_STYLES = DocumentStyle(styles=STYLES, pronouns=0.5, fillers=3)
People = tuple[Entity, ...]


def corpus(
    *versions: People, manner: DocumentStyle = ALL_STYLES, popularity: float = 0.0, keep_old_documents: bool = False, is_dated: bool = False
) -> list[Page]:
    return list(pages(versions, 7, manner, popularity, keep_old_documents, is_dated))


def with_one(people: People, one: Entity) -> People:
    return tuple(one if other.id == one.id else other for other in people)


def with_value(people: People, one: Entity, attribute: str, value: str) -> People:
    return with_one(people, replace(one, values={**one.values, attribute: value}))


def names(page: Page) -> list[str]:
    return [one.fact.attribute.name for one in page.written.stated]


def texts(found: Sequence[Page]) -> dict[str, str]:
    return {page.id: page.written.text for page in found}


def values(found: Sequence[Page], attribute: str) -> dict[str, tuple[str, int | None]]:
    """By page: what it states, and since when."""
    return {
        page.id: (one.fact.value, one.fact.since) for page in found for one in page.written.stated if one.fact.attribute.name == attribute
    }


@pytest.fixture(scope="module")
def people() -> People:
    documented: dict[Type, int] = {"disease": 20, "gene": 10, "drug": 10, "person": 10, "company": 5, "city": 5}
    return inhabitants(random.Random("corpus"), documented, {"city": 3}, reserved=False)


@pytest.fixture(scope="module")
def disease(people: People) -> Entity:
    """The first disease of which a page states the organ."""
    return next(one for one in people if one.unstated != "organ")


@pytest.fixture(scope="module")
def organ(people: People, disease: Entity) -> str:
    """The id of the page that states it."""
    return next(page.id for page in corpus(people) if page.entity_id == disease.id and "organ" in names(page))


def test_every_stated_fact_stands_on_one_home_page_of_at_most_four(people: People) -> None:
    found = corpus(people)
    stated = [(*one.fact.key, one.fact.value) for page in found for one in page.written.stated]
    assert sorted(stated) == sorted((*fact.key, fact.value) for one in people for fact in facts_of(one))
    # Of 12 facts about a disease, 3 about a gene, 7 about a drug, 5 about a person and 4 about a company or a city.
    assert Counter(len(page.written.stated) for page in found) == {4: 20 * 3 + 10 + 10 + 5 + 5, 3: 10 + 10, 1: 10}
    assert [page.id for page in found[:4]] == ["e00000-0", "e00000-1", "e00000-2", "e00001-0"]
    assert {page.kind for page in found} == {"home"}


def test_facts_come_in_random_order_or_in_that_of_their_attributes(people: People) -> None:
    in_order = [fact.attribute.name for one in people for fact in facts_of(one)]
    fixed, permuted = (
        [name for page in corpus(people, manner=DocumentStyle(order=order)) for name in names(page)] for order in ("fixed", "permuted")
    )
    assert fixed == in_order
    assert permuted != in_order


def test_a_span_holds_the_statement_and_nothing_else(people: People) -> None:
    found = corpus(people, popularity=1.0)
    assert {page.written.style for page in found} == set(STYLES)
    for page in found:
        for one in page.written.stated:
            assert page.written.text[one.start : one.end] in ways_to_state(one, page.name)


def ways_to_state(one: Stating, name: str) -> set[str]:
    attribute, value = one.fact.attribute, one.fact.value
    sentences = {state(way, who, value) for way in attribute.statements_of("train") for who in (name, this(attribute.type))}
    pairs = {f"Q: {subject(way, name)} A: {value}." for way in attribute.questions_of("train")}
    return sentences | pairs | {f"{attribute.noun}: {value}"}


def test_a_document_says_where_it_comes_from_and_what_it_states_where(people: People) -> None:
    page = next(one for one in corpus(people, is_dated=True) if one.written.style == "news")
    assert page.document.title == page.name == people[int(page.entity_id[1:])].name
    assert page.document.meta == {
        "facts": [{"id": one.fact.id, "start": one.start, "end": one.end} for one in page.written.stated],
        "version": 0,
        "year": 2020,
        "source": page.source,
        "trust": "high",
        "kind": "home",
    }
    assert page.source in SOURCES
    assert page.document.text.startswith(f"From the {page.source} of 2020. ")
    undated = next(one for one in corpus(people) if one.written.style == "article")
    assert undated.document.meta.keys() == {"facts", "version", "trust", "kind"}


def test_a_page_is_written_anew_when_one_of_its_facts_changes_and_no_other_page_is(people: People, disease: Entity, organ: str) -> None:
    later = with_value(people, disease, "organ", "left toe")
    before, after = corpus(people), corpus(people, later)
    assert {id for id, text in texts(before).items() if texts(after)[id] != text} == {organ}
    assert texts(before).keys() == texts(after).keys()
    again = next(page for page in after if page.id == organ)
    assert again.version == 1
    assert "left toe" in again.written.text
    assert names(again) == names(next(page for page in before if page.id == organ))
    assert [one.fact.since for one in again.written.stated] == [2021 if name == "organ" else 2020 for name in names(again)]


def test_an_old_page_stays_beside_the_new_one_if_it_is_kept(people: People, disease: Entity, organ: str) -> None:
    later = with_value(people, disease, "organ", "left toe")
    versions = people, later, later, with_value(people, disease, "organ", "right toe")
    kept, replaced = (corpus(*versions, keep_old_documents=keep, is_dated=True) for keep in (True, False))
    assert (
        values(kept, "organ").items()
        >= {
            organ: (disease.values["organ"], 2020),
            f"{organ}@1": ("left toe", 2021),
            f"{organ}@3": ("right toe", 2023),
        }.items()
    )
    assert len(kept) == len(replaced) + 2
    assert texts(kept)[organ] == texts(corpus(people, is_dated=True))[organ]
    assert texts(kept)[f"{organ}@1"] == texts(corpus(*versions[:3], is_dated=True))[organ]
    assert texts(kept)[f"{organ}@3"] == texts(replaced)[organ]


def test_dated_pages_tell_the_year_in_which_they_were_written(people: People, disease: Entity, organ: str) -> None:
    found = corpus(people, people, with_value(people, disease, "organ", "left toe"), is_dated=True)
    assert {page.year for page in found if page.id != organ} == {2020}
    assert every(str(page.year) in page.written.text.split(". ")[0] for page in found)
    assert next(page.year for page in found if page.id == organ) == 2022
    assert every(page.year is None for page in corpus(people))


def test_a_new_name_and_a_deletion_are_written_down(people: People, disease: Entity, organ: str) -> None:
    renamed = with_one(people, replace(disease, name="New syndrome"))
    pages_of_it = [f"{disease.id}-{at}" for at in range(3)]
    found = corpus(people, renamed)
    assert [page.id for page in found if page.version == 1] == pages_of_it
    assert {page.name for page in found if page.version == 1} == {"New syndrome"}
    assert every(disease.name not in page.written.text and "New syndrome" in page.written.text for page in found if page.version == 1)
    assert {page.name for page in corpus(people, renamed, keep_old_documents=True) if page.id in pages_of_it} == {disease.name}
    deleted = corpus(people, with_one(people, replace(disease, deleted=("organ",))))
    assert [(page.id, len(names(page))) for page in deleted if page.version == 1] == [(organ, 3)]
    assert disease.id not in {page.entity_id for page in deleted if "organ" in names(page)}


def test_a_page_goes_when_its_last_fact_does_unless_old_ones_are_kept(people: People) -> None:
    lonely = next(page for page in corpus(people) if len(page.written.stated) == 1)
    one = people[int(lonely.entity_id[1:])]
    versions = people, with_one(people, replace(one, deleted=tuple(names(lonely))))
    assert lonely.id not in texts(corpus(*versions))
    assert texts(corpus(*versions, keep_old_documents=True)).items() == texts(corpus(people)).items()


def test_who_appears_later_gets_pages_then_and_moves_nobody(people: People) -> None:
    newcomer = people[3]
    before = with_one(people, replace(newcomer, is_documented=False))
    first, second = (corpus(*versions, popularity=1.0) for versions in ((before,), (before, people)))
    assert newcomer.id not in {page.entity_id for page in first}
    assert [page.version for page in second if page.entity_id == newcomer.id] == [1, 1, 1]
    assert texts(second).items() > texts(first).items()
    assert ranks((before, people), 7) == {**ranks((before,), 7), newcomer.id: 60}


def test_a_value_that_comes_back_is_another_fact_that_old_pages_state_too(people: People, disease: Entity, organ: str) -> None:
    versions = people, with_value(people, disease, "organ", "left toe"), people
    same = same_as(corpus(*versions, keep_old_documents=True))
    assert same[f"{disease.id}.organ.2020"] == same[f"{disease.id}.organ.2022"] == [organ, f"{organ}@2"]
    assert same[f"{disease.id}.organ.2021"] == [f"{organ}@1"]


def test_the_most_popular_entity_has_forty_pages_and_the_second_half_of_that(people: People) -> None:
    found = corpus(people, popularity=1.0)
    counts, places = Counter(page.entity_id for page in found), ranks((people,), 7)
    homes = Counter(page.entity_id for page in corpus(people))
    assert sorted(places.values()) == list(range(1, 61))
    assert places.keys() == {one.id for one in people if one.is_documented}
    assert counts == {id: max(homes[id], round(MOST / place)) for id, place in places.items()}
    assert sorted(counts.values())[-4:] == [10, 13, 20, 40]
    assert list(places) != sorted(places)
    assert places != ranks((people,), 8)


def test_further_pages_state_some_facts_again_and_leave_home_pages_as_they_are(people: People) -> None:
    found = corpus(people, popularity=1.0)
    home, more = ([page for page in found if page.kind == kind] for kind in ("home", "more"))
    assert home == corpus(people)
    assert {len(page.written.stated) for page in more} == {1, 2, 3, 4}
    assert {len(page.written.stated) for page in more if page.entity_id in {one.id for one in people if one.type == "gene"}} <= {1, 2, 3}
    known = {one.fact for page in home for one in page.written.stated}
    assert every(one.fact in known for page in more for one in page.written.stated)
    same = same_as(found)
    assert every(same[one.fact.id].index(page.id) > 0 for page in more for one in page.written.stated)
    assert sum(map(len, same.values())) == sum(len(page.written.stated) for page in found)
    assert len({page.written.text for page in found}) > 0.99 * len(found)


def test_entities_out_of_step_are_refused(people: People) -> None:
    with pytest.raises(ValueError, match="same entities in one order"):
        corpus(people, people[1:] + people[:1])
    with pytest.raises(ValueError):
        corpus(people, people[:-1])


def test_the_same_seed_gives_the_same_bytes_on_any_platform(people: People, disease: Entity) -> None:
    versions = people, with_value(people, disease, "organ", "left toe")
    found = corpus(*versions, manner=replace(ALL_STYLES, misprints=0.02), popularity=0.5, keep_old_documents=True, is_dated=True)
    lines = "\n".join(json.dumps(asdict(page.document), sort_keys=True) for page in found)
    assert hashlib.sha256(lines.encode()).hexdigest() == "09e0c377474b965c7c90117e6e78cc755b52ea12f326da0d12cbe4e3ecca9228"


def test_ten_thousand_entities_have_their_pages_within_seconds() -> None:
    many: dict[Type, int] = {"disease": 7_500, "gene": 500, "drug": 500, "person": 500, "company": 500, "city": 500}
    entities = inhabitants(random.Random("many"), many, {}, reserved=False)
    begun = time.process_time()
    n = sum(1 for _ in pages([entities], 7, ALL_STYLES, 1.0, False, True))
    assert n > 7_500 * 3
    assert time.process_time() - begun < 6  # about 1 s on an ordinary core
