"""A new version teaches what is new, with as much of the old as is asked for."""

from __future__ import annotations

import pytest

from rag_eval.data.sources.update import update
from rag_eval.errors import DataError
from rag_eval.types import Document, Example, QADataset
from tests.worlds import world


def dataset(name: str, train: dict[str, str], documents: tuple[Document, ...] = ()) -> QADataset:
    taught = tuple(Example(f"{name}-{question}", question, (answer,)) for question, answer in train.items())
    return QADataset(name, f"fingerprint of {name}", documents, taught, (), (Example("t", "asked?", ("yes",)),))


OLD = {f"old {at}": "same" for at in range(10)}
BEFORE = dataset("before", {**OLD, "changed": "1", "deleted": "1"})
AFTER = dataset("after", {**OLD, "changed": "2", "added": "1"}, (Document("d", "new"),))


def test_what_is_new_is_taught_and_what_was_deleted_is_not_mentioned() -> None:
    found = update(BEFORE, AFTER, 0.0)
    assert [(one.question, one.answers) for one in found.train] == [("changed", ("2",)), ("added", ("1",))]
    assert (found.documents, found.test, found.counterpart) == (AFTER.documents, AFTER.test, AFTER.fingerprint)
    assert found.fingerprint not in {BEFORE.fingerprint, AFTER.fingerprint}


@pytest.mark.parametrize(("replay", "n_old"), [(0.0, 0), (0.5, 2), (0.75, 6), (0.99, 10)])
def test_old_questions_that_still_hold_are_replayed_up_to_the_share(replay: float, n_old: int) -> None:
    train = [one.question for one in update(BEFORE, AFTER, replay).train]
    assert train[:2] == ["changed", "added"]
    assert len(set(train[2:])) == len(train[2:]) == n_old
    assert set(train[2:]) <= set(OLD)
    assert [one.question for one in update(BEFORE, AFTER, replay).train] == train


def test_where_nothing_is_new_nothing_can_be_learned() -> None:
    with pytest.raises(DataError, match="no training question that before lacks"):
        update(BEFORE, BEFORE, 0.5)


def test_a_version_of_the_world_teaches_its_changed_facts() -> None:
    before, after = world("ci", 0), world("ci", 0, version=1)
    found = update(before, after, 0.0)
    old = {example.id: example for example in before.train}
    assert 0 < len(found.train) < len(after.train) / 2
    for example in found.train:
        same = old.get(example.id)
        assert same is None or (same.question, same.answers) != (example.question, example.answers)
