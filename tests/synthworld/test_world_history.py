"""What happens in the invented world can be told, told again step by step, and told as it was later known to have been."""

from __future__ import annotations

import hashlib
import random
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import astuple, replace
from datetime import date
from typing import cast

import pytest
from scipy.stats import binomtest, chisquare

from synthworld.history import FIRST_YEAR, N_VERSIONS, Event, History, Kind, history, year
from synthworld.model import RESERVED_SEED, Entity, inhabitants, with_dependents
from synthworld.names import Type
from synthworld.templates import attributes, named
from tests.claims import every, none_of

pytestmark = pytest.mark.flow

DOCUMENTED: Mapping[Type, int] = {"disease": 700, "gene": 200, "drug": 300, "person": 400, "company": 250, "city": 150}
OTHERS: Mapping[Type, int] = {"person": 50, "company": 20}
NEWCOMERS = {"e00001": 1, "e00002": 2, "e01250": 2, "e01300": 3, "e01999": 3, "e00003": 0}
VERSIONS = range(N_VERSIONS)
FIRMS = (("One Labs", "Westford"), ("Two Labs", "Westford"), ("Three Labs", "Eastburg"))


def world(documented: Mapping[Type, int], others: Mapping[Type, int]) -> tuple[Entity, ...]:
    return inhabitants(random.Random("world"), documented, others, reserved=False)


@pytest.fixture(scope="module")
def entities() -> tuple[Entity, ...]:
    return world(DOCUMENTED, OTHERS)


@pytest.fixture(scope="module")
def past(entities: tuple[Entity, ...]) -> History:
    return history(entities, NEWCOMERS, 0)


def changes(past: History) -> list[Event]:
    return [one for one in past.events if one.kind in {"change", "retract"}]


def test_version_0_is_the_world_as_given_but_for_newcomers_of_whom_no_document_tells(entities: tuple[Entity, ...], past: History) -> None:
    assert past.at(0) == tuple(replace(one, is_documented=False) if NEWCOMERS.get(one.id) else one for one in entities)
    assert [past.at(0)[at].stated for at in (1, 2, 1250, 1300, 1999)] == [()] * 5
    assert past.at(0)[3] == entities[3]


def test_version_3_is_version_0_after_all_events_one_by_one(past: History) -> None:
    now = {one.id: one for one in past.at(0)}
    ids = {one.name: one.id for one in past.at(0)}
    for event in past.events:
        one = now[event.entity_id]
        was = {"insert": "", "rename": one.name}.get(event.kind) if not event.attribute else one.values[event.attribute]
        assert event.old == was
        if event.kind in {"change", "retract"}:
            link = {event.attribute: ids[event.new]} if event.attribute in one.links else {}
            one = replace(one, values={**one.values, event.attribute: event.new}, links={**one.links, **link})
        elif event.kind == "delete":
            one = replace(one, deleted=(*one.deleted, event.attribute))
        else:
            one = replace(one, name=event.new, is_documented=True)
        now[one.id] = one
    assert tuple(now.values()) == past.at(3)


def test_each_attribute_changes_at_its_rate_and_a_tenth_of_changes_are_retractions(entities: tuple[Entity, ...], past: History) -> None:
    of_type = Counter(one.type for one in entities if one.is_documented)
    first = [one for one in changes(past) if not one.follows]
    found = Counter(one.attribute for one in first)
    mutable = [one for type in of_type for one in attributes(type) if one.rate]
    assert {one.name for one in mutable} == set(found)
    for attribute in mutable:
        assert binomtest(found[attribute.name], 3 * of_type[attribute.type], attribute.rate).pvalue > 0.001
    assert binomtest(sum(one.kind == "retract" for one in first), len(first), 0.1).pvalue > 0.001


def test_each_of_the_other_values_is_as_likely_to_be_the_next() -> None:
    firms = world({"person": 800}, {"company": 3, "city": 1})
    moves = Counter((one.old, one.new) for one in changes(history(firms, {}, 0)) if one.attribute == "employer")
    assert len({move for move in moves if move[0] != move[1]}) == len(moves) == 6
    assert chisquare(list(moves.values())).pvalue > 0.001


def test_only_what_documents_tell_of_changes_and_who_is_only_named_may_be_named_anew(past: History) -> None:
    last = {one.id: one for one in past.at(3)}
    assert every(last[one.entity_id].is_documented for one in past.events)
    links = [one for one in changes(past) if one.attribute in last[one.entity_id].links]
    by_name = {one.name: one for one in past.at(3)}
    assert every(by_name[one.new].type == named(one.attribute).link for one in links)
    assert any(not by_name[one.new].is_documented for one in links)


def test_place_of_work_follows_employer_in_every_version(past: History) -> None:
    assert every(past.at(version) == with_dependents(past.at(version)) for version in VERSIONS)
    by_id = {one.id: one for one in past.events}
    followers = [one for one in past.events if one.follows]
    assert {(one.attribute, by_id[one.follows].attribute) for one in followers} == {("workplace", "employer")}
    for one in followers:
        cause = by_id[one.follows]
        assert (one.entity_id, one.kind, one.effective, one.announced) == (cause.entity_id, cause.kind, cause.effective, cause.announced)
        assert past.events.index(one) == past.events.index(cause) + 1


def happened(kind: str, version: int, old: str, new: str, attribute: str) -> Event:
    return Event(f"v{version}-0000", version, cast(Kind, kind), "e3", attribute, old, new, "2021-01-01", "2021-01-01")


@pytest.mark.parametrize(
    ("first", "second", "timeline"),
    [
        ("change b", "change c", [(0, "a"), (1, "b"), (2, "c")]),
        ("change b", "retract c", [(0, "a"), (1, "c")]),
        ("retract b", "change c", [(0, "b"), (2, "c")]),
        ("retract b", "retract c", [(0, "c")]),
        ("change b", "retract a", [(0, "a")]),
        ("retract b", "change a", [(0, "b"), (2, "a")]),
    ],
)
def test_a_retracted_value_never_was_though_its_version_states_it(first: str, second: str, timeline: list[tuple[int, str]]) -> None:
    (kind_1, one), (kind_2, other) = first.split(), second.split()
    versions = [(Entity("e3", "company", "Four Labs", {"staff": value}, {}, "founded"),) for value in ("a", one, other, other)]
    past = History(tuple(versions), (happened(kind_1, 1, "a", one, "staff"), happened(kind_2, 2, one, other, "staff")))
    assert past.timeline("e3", "staff") == timeline
    assert [past.at(version)[0].values["staff"] for version in VERSIONS] == ["a", one, other, other]
    assert past.timeline("e3", "staff", known_in=1)[-1][1] == one  # before the second event was known


def test_where_somebody_worked_is_known_from_the_true_employer_even_if_the_false_one_had_its_seat_in_the_same_city() -> None:
    firms = [Entity(f"e{at}", "company", name, {"seat": city}, {"seat": city}, "staff") for at, (name, city) in enumerate(FIRMS)]
    jobs = [{"employer": name, "workplace": city} for name, city in (*FIRMS, FIRMS[2])]
    hired = happened("change", 1, "One Labs", "Two Labs", "employer")
    denied = happened("retract", 2, "Two Labs", "Three Labs", "employer"), happened("retract", 2, "Westford", "Eastburg", "workplace")
    past = History(tuple((*firms, Entity("e3", "person", "Karlo Venis", job, {}, "born")) for job in jobs), (hired, *denied))
    assert past.timeline("e3", "employer") == [(0, "One Labs"), (1, "Three Labs")]
    assert past.timeline("e3", "workplace") == [(0, "Westford"), (1, "Eastburg")]


def test_every_retraction_corrects_the_versions_that_stated_the_value(past: History) -> None:
    retractions = [one for one in past.events if one.kind == "retract"]
    assert len(retractions) > 100
    for one in retractions:
        assert past.at(one.version - 1)[past.place(one.entity_id)].values[one.attribute] == one.old
        if not one.follows:
            true = past.values(one.entity_id, one.attribute, one.version)
            assert true == past.values(one.entity_id, one.attribute, one.version - 1) != one.old
    told = [(at, one, name) for at in VERSIONS for one in past.at(at) for name in one.values]
    assert every(past.values(one.id, name, at, known_in=at) == one.values[name] for at, one, name in told)


def test_a_deleted_fact_is_never_stated_or_changed_again(past: History) -> None:
    deletions = [one for one in past.events if one.kind == "delete"]
    for one in deletions:
        names = [{stated.name for stated in past.at(version)[past.place(one.entity_id)].stated} for version in VERSIONS]
        assert one.attribute in names[one.version - 1]
        assert none_of(one.attribute in stated for stated in names[one.version :])
        assert not named(one.attribute).link
        later = [other for other in past.events if other.version >= one.version and other is not one]
        assert (one.entity_id, one.attribute) not in {(other.entity_id, other.attribute) for other in later}
    assert Counter(one.version for one in deletions) == {1: 66, 2: 66, 3: 66}  # one in 30 of 2,000


def test_even_a_world_of_eight_loses_a_fact_and_a_name_each_year() -> None:
    eight = world({"disease": 4, "gene": 1, "drug": 1, "person": 1, "company": 1}, {"city": 1})
    for seed in range(20):
        events = history(eight, {"e00000": 1, "e00001": 1, "e00002": 2}, seed).events
        assert [one.version for one in events if one.kind == "delete"] == [1, 2, 3]
        assert [one.version for one in events if one.kind == "rename"] == [1, 2, 3]
        assert next(one.entity_id for one in events if one.kind == "rename") == "e00003"  # the others are newcomers


def test_nobody_is_left_without_a_fact() -> None:
    genes = world({"gene": 8}, {})  # three facts are stated of each, and three are deleted
    assert every(one.stated for seed in range(300) for one in history(genes, {}, seed).at(3))


def test_a_disease_is_renamed_once_at_most_to_a_name_like_no_other(past: History) -> None:
    renames = [one for one in past.events if one.kind == "rename"]
    assert [sum(one.version == version for one in renames) for version in VERSIONS] == [0, 23, 22, 21]
    assert len({one.entity_id for one in renames}) == len(renames)
    assert {one.type for one in past.at(3) if one.id in {rename.entity_id for rename in renames}} == {"disease"}
    ever = [one.name for one in past.at(0)] + [one.new for one in renames]
    assert len(set(ever)) == len(ever)
    stems = [name.split()[0] for name in ever]
    for one in renames:
        stem = one.new.split()[0]
        assert zlib.crc32(stem.encode()) % 2 == 0  # an evaluated world's
        alike = [other for other in stems if len(other) == len(stem) and sum(a != b for a, b in zip(other, stem, strict=True)) < 2]
        assert alike == [stem]


def test_newcomers_appear_in_their_version_and_nothing_happens_to_them_before_the_next(past: History) -> None:
    inserted = {one.entity_id: one.version for one in past.events if one.kind == "insert"}
    assert inserted == {id: version for id, version in NEWCOMERS.items() if version}
    for id, version in inserted.items():
        assert [past.at(at)[past.place(id)].is_documented for at in VERSIONS] == [at >= version for at in VERSIONS]
        assert [one.kind for one in past.events if one.entity_id == id and one.version <= version] == ["insert"]
        assert {past.timeline(id, name)[0][0] for name in past.at(0)[past.place(id)].values} == {version}


def test_who_appears_when_moves_no_other_change(entities: tuple[Entity, ...], past: History) -> None:
    def of_others(past: History) -> list[tuple[str, ...]]:
        return [(str(one.version), one.kind, *astuple(one)[3:9]) for one in changes(past) if one.entity_id not in NEWCOMERS]

    without = history(entities, {}, 0)
    lost = {(one.entity_id, one.attribute) for which in (past, without) for one in which.events if one.kind == "delete"}
    kept = [[one for one in of_others(which) if (one[2], one[3]) not in lost] for which in (past, without)]
    assert kept[0] == kept[1]
    assert len(kept[0]) > 1000


def test_events_are_numbered_in_order_and_dated_within_their_year(past: History) -> None:
    for version in VERSIONS:
        ids = [one.id for one in past.events if one.version == version]
        assert ids == [f"v{version}-{at:04d}" for at in range(len(ids))]
    assert [one.version for one in past.events] == sorted(one.version for one in past.events)
    delays = [(date.fromisoformat(one.announced) - date.fromisoformat(one.effective)).days for one in past.events]
    assert (min(delays), max(delays)) == (0, 60)
    assert every(date.fromisoformat(one.effective).year == year(one.version) == FIRST_YEAR + one.version for one in past.events)


def test_what_a_version_changed_and_whom_it_touched_is_what_differs_from_the_one_before(past: History) -> None:
    for version in VERSIONS[1:]:
        pairs = list(zip(past.at(version - 1), past.at(version), strict=True))
        differing = {(new.id, name) for old, new in pairs for name, value in new.values.items() if old.values[name] != value}
        assert past.changed(version) == differing
        assert past.touched(version) == {new.id for old, new in pairs if old != new}
    assert not past.changed(0) | past.touched(0)


def test_the_same_seed_tells_the_same_story_to_the_byte() -> None:
    events = history(world({"disease": 8, "drug": 4, "person": 4, "company": 2, "city": 2}, {"gene": 4}), {"e00003": 2}, 7).events
    text = "\n".join("|".join(map(str, astuple(one))) for one in events)
    assert hashlib.sha256(text.encode()).hexdigest() == "66e1d0f156b182aff4ae4408a757df10f59f6a873018b720d737681f4c935b64"


def test_there_is_no_history_of_reserved_worlds_of_unknown_newcomers_or_of_other_years(entities: tuple[Entity, ...], past: History) -> None:
    with pytest.raises(ValueError, match="reserved worlds have no history"):
        history(entities, {}, RESERVED_SEED)
    for newcomers in ({"e99999": 1}, {"e02000": 1}, {"e00001": 4}):  # e02000 is only named
        with pytest.raises(ValueError, match="a newcomer must be documented and appear in version 0 to 3"):
            history(entities, newcomers, 0)
    for version in (-1, 4):
        with pytest.raises(ValueError, match=f"version must be one of 0 to 3, got {version}"):
            past.at(version)
