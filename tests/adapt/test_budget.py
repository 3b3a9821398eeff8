"""What each side was given to know, counted by hand."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from rag_eval.adapt.data.documents import Documents
from rag_eval.adapt.data.qa import QA
from rag_eval.adapt.data.raft import Raft
from rag_eval.adapt.data.tokenize import training_rows, training_set
from rag_eval.adapt.knowledge_budget import asked_as_trained, budget, taught_by
from rag_eval.adapt.none import NoAdapter
from rag_eval.protocols import TrainingData
from rag_eval.types import Document, Example, KnowledgeBudget, QADataset
from tests.adapt.small import DOCUMENTS, GENERATOR, PEOPLE_DATASET, PROMPT, TEST, TRAIN
from tests.worlds import world


def counted(dataset: QADataset, data: TrainingData) -> KnowledgeBudget:
    return budget(dataset, training_rows(data, GENERATOR, PROMPT, dataset, 0))


def test_both_sides_reach_the_same_facts_when_every_fact_is_asked_in_training() -> None:
    assert counted(PEOPLE_DATASET, QA(0.5)) == KnowledgeBudget(
        rows={"qa": 4, "replay": 4},
        n_documents=8,
        n_documents_trained=0,
        n_facts_trained=4,
        n_questions=4,
        n_retrievable=4,
        n_trained=4,
        n_only_retrievable=0,
        n_only_trained=0,
        n_neither=0,
        n_beside_trained=0,
    )


def test_what_only_one_side_or_none_was_given_is_counted() -> None:
    nobody = Example("test-Eve", "In which town is Eve at home?", ("Evetown",), ("Eve-0",), "eve")
    unanswerable = Example("test-Fay", "In which town is Fay at home?", ())
    uneven = replace(PEOPLE_DATASET, documents=DOCUMENTS[2:], train=TRAIN[:3], test=(*TEST, nobody, unanswerable))
    found = counted(uneven, QA(0.0))
    assert (found.n_questions, found.n_retrievable, found.n_trained) == (5, 3, 3)
    assert (found.n_only_retrievable, found.n_only_trained, found.n_neither) == (1, 1, 1)  # Di, Ada, Eve


def test_a_document_that_is_trained_on_gives_its_facts_as_it_is_in_other_words_and_in_chunks() -> None:
    untaught = replace(PEOPLE_DATASET, train=())
    for data in (Documents(True, 0, "shuffled"), Documents(False, 1, "shuffled")):
        found = counted(untaught, data)
        assert (found.n_documents_trained, found.n_facts_trained, found.n_trained, found.n_neither) == (8, 0, 4, 0)
    same_ids = replace(PEOPLE_DATASET, train=tuple(replace(one, id=one.evidence[0]) for one in TRAIN))
    assert counted(same_ids, Documents(True, 0, "shuffled")).n_facts_trained == 0  # none of the questions is trained on
    halved = replace(
        untaught, documents=(Document("Ada-0@0-9", "Ada lives", "Ada", {"source": "Ada-0", "start": 0, "end": 9}), *DOCUMENTS[1:])
    )
    assert counted(halved, Documents(False, 1, "shuffled")).n_documents_trained == 8


def test_questions_in_another_form_than_training_asks_are_counted_apart_where_their_documents_are_asked_about() -> None:
    both = Example("both", "Who lives in Adatown and in Botown?", ("Ada and Bo",), ("Ada-0", "Bo-0"))
    mixed = Example("mixed", "Who lives in Adatown and drinks tea?", ("Ada",), ("Ada-0", "Ada-1"))
    found = counted(replace(PEOPLE_DATASET, test=(*TEST, both, mixed)), QA(0.0))
    assert (found.n_only_retrievable, found.n_beside_trained) == (2, 1)


def test_what_is_trained_on_is_known_of_adapters_that_train_and_of_no_other() -> None:
    adapter: Any = SimpleNamespace(data=QA(0.5), with_rows=list)
    assert taught_by(adapter, GENERATOR, PROMPT, PEOPLE_DATASET, 3) == training_set(QA(0.5), GENERATOR, PROMPT, PEOPLE_DATASET, 3)
    assert taught_by(NoAdapter(), GENERATOR, PROMPT, PEOPLE_DATASET, 3) is None


def test_whether_questions_were_learned_is_asked_of_those_alone_that_are_trained_on_without_passages() -> None:
    def probed(data: TrainingData) -> tuple[Example, ...]:
        return asked_as_trained(PEOPLE_DATASET, training_rows(data, GENERATOR, PROMPT, PEOPLE_DATASET, 0)).train

    assert probed(QA(0.5)) == TRAIN
    assert len(probed(QA(0.5, unknown_share=0.5))) == 2
    assert probed(Raft(2, 0.5)) == probed(Documents(True, 0, "shuffled")) == ()
    assert asked_as_trained(PEOPLE_DATASET, None) is PEOPLE_DATASET


def test_controls_give_the_trained_side_no_fact() -> None:
    assert counted(world("ci", 0), QA(0.15)).n_only_retrievable == 0
    others, permuted = (counted(one, QA(0.15)) for one in (world("ci", 0, lessons="others"), world("ci", 0, permuted=True)))
    assert others.n_trained == 0
    assert permuted.n_trained < 0.2 * permuted.n_questions  # two entities may have the same value
