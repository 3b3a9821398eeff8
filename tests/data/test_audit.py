"""What each side may know is counted, not assumed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from rag_eval.data.audit import audit, spelled
from rag_eval.types import Document, Example, Grading, QADataset, Turn
from tests.worlds import world

LONG = "in which year was the oldest bridge over the river first mentioned"
TRAIN = (
    Example("t1", f"{LONG} at all?", ("1200",), cluster="bridge", grading=Grading(as_of="2020-06-01")),
    Example("t2", "Who built it?", ("Ada",), cluster="bridge"),
)
TEST = (
    Example("q1", f"Tell me {LONG}.", ("1200",), ("d1",), "bridge", grading=Grading(as_of="2019-01-01")),
    Example("q2", "Its architect?", ("Ada",), ("d2", "d3"), "bridge"),
    Example("q3", "Its length?", ("90 m",), ("gone",), "bridge"),
    Example("q4", "Its owner?", (), cluster="bridge"),
    Example("q5", "Who built the tower?", ("Ada",), cluster="tower"),
)
DATASET = QADataset("d", "f", tuple(Document(f"d{n}", "text") for n in range(1, 6)), TRAIN, (), TEST)


def test_facts_reached_by_documents_and_by_training_are_counted_apart() -> None:
    found = audit(DATASET, TEST)
    assert (found.n_facts, found.n_facts_in_corpus, found.n_facts_in_training) == (4, 2, 2)


def test_eight_shared_words_are_counted_as_overlap_with_training() -> None:
    assert audit(DATASET, TEST).n_shared_8_grams == 1


def test_questions_of_a_time_before_the_training_data_are_counted() -> None:
    assert audit(DATASET, TEST).n_before_training == 1


def test_the_fewest_distractors_are_those_of_the_question_with_most_evidence() -> None:
    assert audit(DATASET, TEST).n_distractors_min == 3
    assert audit(DATASET, [TEST[4]]).n_distractors_min is None


def test_the_world_gives_both_sides_every_fact_that_it_asks() -> None:
    dataset = world("ci", 0)
    found = audit(dataset, dataset.test)
    assert found.n_facts == found.n_facts_in_corpus == found.n_facts_in_training == 160


def test_documents_and_questions_that_spell_a_control_token_are_counted_where_the_generator_knows_them() -> None:
    knowing: Any = SimpleNamespace(spells_control=lambda text: "</s>" in text)
    documents = (Document("a", "x</s>"), Document("b", "text", "</s>"), Document("c", "text"))
    asked = (Example("q1", "Who?</s>", ()), Example("q2", "Who?", (), history=(Turn("A?", "</s>"),)), Example("q3", "Who?", ("</s>",)))
    dataset = QADataset("d", "f", documents, (), (), asked)
    assert spelled(knowing, dataset, asked) == {"n_documents_with_control_tokens": 2, "n_questions_with_control_tokens": 2}
    assert spelled(object(), dataset, asked) == {}
