"""Each kind of distractor is what it says: alike where it should be, wrong or silent where it should be, and never right by accident."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import asdict, fields, replace

import pytest

from synthworld.corpus import Page, filled, pages
from synthworld.distractors import KINDS, Background, Distractors, distract, wrong_values
from synthworld.documents import DOUBTFUL, FILLER, STYLES, DocumentStyle
from synthworld.knowledge import plural
from synthworld.model import Entity, inhabitants
from synthworld.names import TYPES, Type, stem
from synthworld.templates import named
from tests.claims import every, none_of
from tests.data.pages import same_as

pytestmark = pytest.mark.flow

ARTICLES, ALL_STYLES = DocumentStyle(), DocumentStyle(styles=STYLES)
EACH = dict.fromkeys(KINDS, 1)
People = tuple[Entity, ...]


@pytest.fixture(scope="module")
def people() -> People:
    documented: dict[Type, int] = {type: 6 for type in TYPES}
    return inhabitants(random.Random("distractors"), documented, {"city": 2}, reserved=False)


def home_pages(*versions: People, manner: DocumentStyle = ARTICLES, is_dated: bool = True, keep_old_documents: bool = False) -> list[Page]:
    return list(pages(versions, 7, manner, 0.0, keep_old_documents, is_dated))


def around(home: Page, *versions: People, manner: DocumentStyle = ARTICLES, **counts: int) -> list[Page]:
    return list(distract(home, Background(versions), Distractors(**counts), manner, 7))


def pairs(people: People, kind: str, n: int = 1, **how: bool) -> list[tuple[Page, Page]]:
    """Each home page with each of its n distractors of a kind."""
    return [(home, page) for home in home_pages(people, **how) for page in around(home, people, **{kind: n})]


def values(page: Page) -> dict[str, str]:
    return {one.fact.attribute.name: one.fact.value for one in page.written.stated}


def renamed(people: People) -> People:
    """The next version, in which the first entity has another name."""
    return tuple(replace(one, name="New syndrome") if one is people[0] else one for one in people)


def type_of(home: Page) -> Type:
    return home.written.stated[0].fact.entity.type


def sentences(page: Page) -> set[str]:
    return {page.written.text[one.start : one.end] for one in page.written.stated}


def test_there_are_as_many_of_each_kind_as_wanted(people: People) -> None:
    assert tuple(one.name for one in fields(Distractors)) == KINDS
    home = home_pages(people)[0]
    assert around(home, people) == []
    assert [page.id for page in around(home, people, lacking=2, sibling=1)] == [
        f"{home.id}~sibling-0",
        f"{home.id}~lacking-0",
        f"{home.id}~lacking-1",
    ]
    assert [page.kind for page in around(home, people, **EACH)] == list(KINDS)


@pytest.mark.parametrize("kind", sorted({*KINDS} - {"topical", "lacking"}))
def test_spans_hold_what_is_stated(people: People, kind: str) -> None:
    for home in home_pages(people, manner=ALL_STYLES):
        for page in around(home, people, manner=ALL_STYLES, **{kind: 1}):
            assert page.written.stated
            assert every(one.fact.value in page.written.text[one.start : one.end] for one in page.written.stated)
            assert every(one.fact.entity.name == page.name for one in page.written.stated)


def test_a_sibling_has_the_same_stem_and_attributes_and_other_values(people: People) -> None:
    for home, page in pairs(people, "sibling"):
        assert page.name == home.name + (" type 2" if type_of(home) == "disease" else " II")
        assert type_of(page) == type_of(home)
        assert list(values(page)) == list(values(home))
        assert not values(page).items() & values(home).items()
    home = home_pages(people)[-1]
    assert [page.name for page in around(home, people, sibling=9)][2::3] == [f"{home.name} IV", f"{home.name} VII", f"{home.name} X"]


def test_another_entity_may_have_the_same_values_under_a_name_that_nobody_has(people: People) -> None:
    found = pairs(people, "same_value", n=3)
    for home, page in found:
        assert values(page) == values(home)
        assert type_of(page) == type_of(home)
    assert not {page.name for _, page in found} & {one.name for one in people}
    assert len({page.name for _, page in found}) == len(found)


def test_a_new_name_is_drawn_again_if_somebody_has_or_had_it(people: People) -> None:
    home = home_pages(people)[0]
    (first,) = around(home, people, same_value=1)
    before = tuple(replace(one, name=first.name) if one is people[1] else one for one in people)
    (second,) = around(home, before, people, same_value=1)
    assert second.name != first.name


def test_a_namesake_shares_the_stem_and_is_of_another_type(people: People) -> None:
    found = pairs(people, "namesake", n=3)
    for home, page in found:
        assert stem(page.name) == stem(home.name).split()[-1]
        assert type_of(page) != type_of(home)
        assert every(named(one).type == type_of(page) for one in values(page))
    assert {type_of(page) for home, page in found if type_of(home) == "disease"} == {"drug", "company", "city"}
    assert {type_of(page) for home, page in found if type_of(home) in {"gene", "person"}} == {"disease", "company"}
    assert not {page.name for _, page in found} & {one.name for one in people}


def test_a_topical_page_names_nobody_and_states_nothing(people: People) -> None:
    found = pairs(people, "topical", n=3)
    for home, page in found:
        assert (page.name, page.entity_id) == (plural(type_of(home)).capitalize(), "")
        assert page.document.meta["facts"] == []
        assert page.written.text.startswith("Written in 2020. ")
        assert every(name not in page.written.text for one in people for name in {one.name, stem(one.name)})
    assert len({page.written.text for _, page in found}) > 0.9 * len(found)


def test_a_near_duplicate_states_the_same_facts_in_other_words(people: People) -> None:
    found = pairs(people, "near_duplicate")
    for home, page in found:
        assert {one.fact for one in page.written.stated} == {one.fact for one in home.written.stated}
        assert page.written.text != home.written.text
    assert sum(len(sentences(page) & sentences(home)) for home, page in found) < 0.05 * sum(len(sentences(home)) for home, _ in found)
    same = same_as([page for pair in found for page in pair])
    assert every(same[one.fact.id] == [home.id, page.id] for home, page in found for one in home.written.stated)


def test_a_near_duplicate_keeps_a_fixed_order(people: People) -> None:
    fixed = DocumentStyle(order="fixed")
    for home in home_pages(people, manner=fixed):
        (page,) = around(home, people, manner=fixed, near_duplicate=1)
        assert list(values(page)) == list(values(home))


def test_an_outdated_page_gives_the_entity_other_values_in_an_earlier_year(people: People) -> None:
    found = pairs(people, "outdated")
    for home, page in found:
        assert (page.name, page.entity_id) == (home.name, home.entity_id)
        assert not values(page).items() & values(home).items()
        assert page.year in range(2010, 2020)
        assert page.written.text.startswith(f"Written in {page.year}. ")
    assert len({page.year for _, page in found}) > 5
    assert {page.year for _, page in pairs(people, "outdated", is_dated=False)} == {page.year for _, page in found}


def test_a_counterfactual_page_gives_other_values_from_a_doubtful_source_without_a_year(people: People) -> None:
    found = pairs(people, "counterfactual")
    for home, page in found:
        assert (page.name, page.entity_id) == (home.name, home.entity_id)
        assert not values(page).items() & values(home).items()
        assert page.written.text.startswith(f"From the {page.source}. ")
        assert page.document.meta["trust"] == "low"
        assert "year" not in page.document.meta
    assert {page.source for _, page in found} == set(DOUBTFUL)


def test_a_lacking_page_is_about_the_entity_and_states_nothing(people: People) -> None:
    for home, page in pairs(people, "lacking"):
        assert (page.name, page.entity_id) == (home.name, home.entity_id)
        assert page.written.stated == ()
        date, opener, *fillers = page.written.text.split(". ")
        assert (date, home.name in opener) == ("Written in 2020", True)
        assert {one.removesuffix(".") + "." for one in fillers} <= set(FILLER)
        assert none_of(value in page.written.text for value in values(home).values())


def test_made_up_facts_are_none_of_the_worlds(people: People) -> None:
    found = [page for home in home_pages(people) for page in around(home, people, **dict.fromkeys(KINDS, 2))]
    ids = {one["id"] for page in found if page.kind != "near_duplicate" for one in page.document.meta["facts"]}
    true = {one.fact.id for home in home_pages(people) for one in home.written.stated}
    assert not ids & true
    assert len(ids) == sum(len(page.written.stated) for page in found if page.kind != "near_duplicate")
    assert same_as([*home_pages(people), *found]).keys() == true
    strangers = [page for page in found if page.kind in {"sibling", "same_value", "namesake"}]
    assert every(page.entity_id == page.id for page in strangers)


def test_wrong_values_are_found_by_entity_and_attribute(people: People) -> None:
    home = home_pages(people)[0]
    found = around(home, people, sibling=1, outdated=2, counterfactual=1, near_duplicate=1)
    wrong = wrong_values(found)
    assert wrong.keys() == {one.fact.key for one in home.written.stated}
    for (_, attribute), given in wrong.items():
        assert given == list(dict.fromkeys(values(page)[attribute] for page in found if page.kind in {"outdated", "counterfactual"}))


@pytest.mark.parametrize("kind", ["sibling", "outdated", "counterfactual"])
def test_no_wrong_value_was_right_in_any_version(people: People, kind: str) -> None:
    *right, wrong = named("inheritance").values  # three are right at some time, so that one is left
    versions = [
        tuple(replace(one, values={**one.values, "inheritance": value}) if one.type == "disease" else one for one in people)
        for value in right
    ]
    homes = [page for page in home_pages(*versions, keep_old_documents=True) if "inheritance" in values(page)]
    assert {page.version for page in homes} == {0, 1, 2}
    assert {values(page)["inheritance"] for home in homes for page in around(home, *versions, **{kind: 5})} == {wrong}


@pytest.mark.parametrize("kind", ["sibling", "outdated", "counterfactual"])
def test_where_there_is_no_other_value_none_is_given(kind: str) -> None:
    alone = inhabitants(random.Random(1), {"company": 1}, {"city": 1, "person": 1}, reserved=False)
    (home,) = home_pages(alone, manner=DocumentStyle(order="fixed"))
    assert list(values(home)) == ["seat", "founded", "staff", "industry"]
    (page,) = around(home, alone, **{kind: 1})
    assert sorted(values(page)) == ["founded", "industry", "staff"]
    seat = filled(home, [home.written.stated[0].fact], ARTICLES, random.Random(0))
    assert around(seat, alone, **{kind: 1}) == []


def test_links_name_entities_of_the_world(people: People) -> None:
    names = {type: {one.name for one in people if one.type == type} for type in TYPES}
    for kind in ("sibling", "namesake", "outdated", "counterfactual"):
        linked = [one.fact for _, page in pairs(people, kind) for one in page.written.stated if one.fact.attribute.link]
        assert linked
        assert every(fact.value in names[fact.attribute.link] for fact in linked if fact.attribute.link)


def test_distractors_change_when_their_home_page_does(people: People) -> None:
    later = renamed(people)
    before, after = (
        {page.id: page for home in home_pages(*versions) for page in around(home, *versions, **EACH)}
        for versions in ((people,), (people, later))
    )
    assert before.keys() == after.keys()
    assert {id.split("~")[0] for id in before if before[id] != after[id]} == {"e00000-0", "e00000-1", "e00000-2"}
    assert {page.version for id, page in after.items() if id.startswith("e00000-")} == {1}


def test_the_same_seed_gives_the_same_bytes_on_any_platform(people: People) -> None:
    versions = people, renamed(people)
    found = [page for home in home_pages(*versions, manner=ALL_STYLES) for page in around(home, *versions, manner=ALL_STYLES, **EACH)]
    lines = "\n".join(json.dumps(asdict(page.document), sort_keys=True) for page in found)
    assert hashlib.sha256(lines.encode()).hexdigest() == "7d050bb5fbf001619e2472e89cd596cdd3abe966a8ad5f79e98d1c74d997ce25"
