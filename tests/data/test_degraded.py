"""Documents that are missing and training answers that are wrong, while the questions stay the same."""

from __future__ import annotations

import pytest

from rag_eval.data.sources.degraded import degraded
from rag_eval.errors import ConfigError
from rag_eval.types import Document, Example, QADataset
from synthworld.dataset import world
from tests.claims import every

DOCUMENTS = tuple(Document(f"d{at}", f"text {at}") for at in range(8))
TRAIN = tuple(
    Example(f"{entity}-{at}", f"what is {entity}, {at}?", (entity.upper(),), cluster=entity, meta={"attribute": "name"})
    for entity in "abcdefghij"
    for at in range(3)
)
WHOLE = QADataset("whole", "fingerprint", DOCUMENTS, TRAIN, (), (Example("t", "asked?", ("yes",)),), restated={"d0": ("again",)})


@pytest.mark.parametrize(("coverage", "n"), [(1.0, 8), (0.75, 6), (0.5, 4), (0.2, 2)])
def test_the_share_of_the_documents_is_left_in_their_order(coverage: float, n: int) -> None:
    found = degraded(WHOLE, coverage)
    assert len(found.documents) == n
    assert found.documents == tuple(one for one in DOCUMENTS if one in found.documents)
    assert (found.train, found.test) == (WHOLE.train, WHOLE.test)
    assert set(found.restated) == {one.id for one in found.documents} & {"d0"}  # what is missing is not restated either


def test_documents_of_a_smaller_coverage_are_among_those_of_a_larger_one() -> None:
    few, many = ({one.id for one in degraded(WHOLE, coverage).documents} for coverage in (0.25, 0.75))
    assert few < many


def test_all_questions_about_a_fact_get_the_same_wrong_answer() -> None:
    found = degraded(WHOLE, label_noise=0.3)
    wrong = {after.cluster: after.answers for before, after in zip(TRAIN, found.train, strict=True) if after.answers != before.answers}
    assert len(wrong) == 3
    assert sum(after.answers != before.answers for before, after in zip(TRAIN, found.train, strict=True)) == 9
    assert every(answers in {one.answers for one in TRAIN} for answers in wrong.values())


def test_where_every_label_is_wrong_none_is_right() -> None:
    found = degraded(WHOLE, label_noise=1.0)
    assert every(after.answers != before.answers for before, after in zip(TRAIN, found.train, strict=True))


def test_a_degraded_dataset_is_another_one_that_may_be_compared_with_the_whole_one() -> None:
    found = degraded(WHOLE, 0.5)
    assert found.fingerprint != WHOLE.fingerprint
    assert found.counterpart == WHOLE.fingerprint
    assert degraded(WHOLE, 0.5) == found


def test_an_empty_corpus_is_refused() -> None:
    with pytest.raises(ConfigError, match="leaves none of the 8 documents"):
        degraded(WHOLE, 0.01)


def test_in_a_world_a_wrong_answer_is_a_value_of_the_same_attribute() -> None:
    whole = world("ci", 0)
    found = degraded(whole, label_noise=0.2)
    facts = {(one.cluster, one.meta["attribute"]) for one in whole.train}
    changed = {
        (before.cluster, before.meta["attribute"]): after.answers
        for before, after in zip(whole.train, found.train, strict=True)
        if before.answers != after.answers
    }
    assert 0.15 < len(changed) / len(facts) <= 0.21
    values = {(one.meta["attribute"], one.answers) for one in whole.train}
    assert every((attribute, answers) in values for (_, attribute), answers in changed.items())
