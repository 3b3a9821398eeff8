"""What each side was given to know, counted by hand."""

from __future__ import annotations

from dataclasses import replace

from rag_eval.adapt.budget import budget
from rag_eval.adapt.data_documents import Documents
from rag_eval.adapt.data_qa import QA
from rag_eval.adapt.training_set import training_rows
from rag_eval.data.world.source import world
from rag_eval.parts import TrainingData
from rag_eval.types import Document, Example, QADataset
from tests.adapt.small import DOCUMENTS, GENERATOR, PEOPLE_DATASET, PROMPT, TEST, TRAIN


def counted(dataset: QADataset, data: TrainingData) -> dict[str, int]:
    return dict(budget(dataset, training_rows(data, GENERATOR, PROMPT, dataset, 0)))


def test_both_sides_reach_the_same_facts_when_every_fact_is_asked_in_training() -> None:
    assert counted(PEOPLE_DATASET, QA(0.5)) == {
        "n_documents": 8,
        "n_documents_trained": 0,
        "n_facts_trained": 4,
        "n_questions": 4,
        "n_retrievable": 4,
        "n_trained": 4,
        "n_only_retrievable": 0,
        "n_only_trained": 0,
        "n_neither": 0,
    }


def test_what_only_one_side_or_none_was_given_is_counted() -> None:
    nobody = Example("test-Eve", "In which town is Eve at home?", ("Evetown",), ("Eve-0",), "eve")
    unanswerable = Example("test-Fay", "In which town is Fay at home?", ())
    uneven = replace(PEOPLE_DATASET, documents=DOCUMENTS[2:], train=TRAIN[:3], test=(*TEST, nobody, unanswerable))
    found = counted(uneven, QA(0.0))
    assert (found["n_questions"], found["n_retrievable"], found["n_trained"]) == (5, 3, 3)
    assert (found["n_only_retrievable"], found["n_only_trained"], found["n_neither"]) == (1, 1, 1)  # Di, Ada, Eve


def test_a_document_that_is_trained_on_gives_its_facts_as_it_is_in_other_words_and_in_chunks() -> None:
    untaught = replace(PEOPLE_DATASET, train=())
    for data in (Documents(True, 0, "shuffled"), Documents(False, 1, "shuffled")):
        found = counted(untaught, data)
        assert (found["n_documents_trained"], found["n_facts_trained"], found["n_trained"], found["n_neither"]) == (8, 0, 4, 0)
    halved = replace(
        untaught, documents=(Document("Ada-0@0-9", "Ada lives", "Ada", {"source": "Ada-0", "start": 0, "end": 9}), *DOCUMENTS[1:])
    )
    assert counted(halved, Documents(False, 1, "shuffled"))["n_documents_trained"] == 8


def test_controls_give_the_trained_side_no_fact() -> None:
    assert counted(world("ci", 0), QA(0.15))["n_only_retrievable"] == 0
    others, permuted = (counted(one, QA(0.15)) for one in (world("ci", 0, lessons="others"), world("ci", 0, permuted=True)))
    assert others["n_trained"] == 0
    assert permuted["n_trained"] < 0.2 * permuted["n_questions"]  # two entities may have the same value
