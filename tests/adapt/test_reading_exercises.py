"""Reading exercises that are made of training questions: what they show, whom they are about, and what they never hold."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rag_eval.adapt.data.mixed import Mixed
from rag_eval.adapt.data.qa import QA
from rag_eval.adapt.data.question_rows import dev_rows
from rag_eval.adapt.data.tokenize import training_set
from rag_eval.adapt.knowledge_budget import budget
from rag_eval.config.check import check
from rag_eval.config.compose import composed
from rag_eval.data.rows.assemble import assemble
from rag_eval.data.rows.split import Splitting
from rag_eval.data.rows.validate import CheckedQuestion
from rag_eval.data.sources.folder import folder
from rag_eval.report.knowledge import knowledge_note
from rag_eval.text.counted import counted
from rag_eval.types import ABSTENTION, Document, Example, ExerciseCounts, QADataset, TrainingRow, TrainingSet
from tests.adapt.small import GENERATOR, PEOPLE_DATASET, PROMPT
from tests.claims import every, none_of
from tests.worlds import world

N_PARAGRAPHS = 6
ARTICLES = [f"Article {at:02}" for at in range(20)]
PARAGRAPHS = [
    Document(f"{name}#{at}", f"In {name}, part {at} is made of stuff {at} of {name}.", name)
    for name in ARTICLES
    for at in range(N_PARAGRAPHS)
]
BY_QUESTION = Splitting("question")
HALF = QA(0.5)


def asked(name: str, at: int, is_answerable: bool) -> CheckedQuestion:
    question = f"What is part {at} of {name} made of?" if is_answerable else f"Who has bought part {at} of {name} lately?"
    answers, evidence = ((f"stuff {at}",), (f"{name}#{at}",)) if is_answerable else ((), ())
    return CheckedQuestion(f"{name}/{at}/{is_answerable}", question, answers, evidence, name, "", (), {})


QUESTIONS = [asked(name, at, one) for name in ARTICLES for at in range(N_PARAGRAPHS) for one in (True, False)]


def articles(splitting: Splitting = BY_QUESTION, questions: Sequence[CheckedQuestion] = QUESTIONS, share: float = 0.5) -> QADataset:
    return assemble("articles", PARAGRAPHS, questions, share, 0, splitting)


def made(dataset: QADataset, data: QA | Mixed = HALF, seed: int = 0, generator: Any = GENERATOR) -> TrainingSet:
    return training_set(data, generator, PROMPT, dataset, seed)


def reading(dataset: QADataset, data: QA | Mixed = HALF, seed: int = 0) -> list[TrainingRow]:
    return [row for row in made(dataset, data, seed).rows if row.source == "reading"]


def shown(row: TrainingRow, dataset: QADataset) -> list[Document]:
    """The documents in a prompt, in its order; one that stands there twice is listed twice."""
    at = {one.id: row.prompt.find(f": {one.text}") for one in dataset.documents}
    found = [one for one in dataset.documents if at[one.id] >= 0 for _ in range(row.prompt.count(f": {one.text}"))]
    return sorted(found, key=lambda one: at[one.id])


def gold(row: TrainingRow, dataset: QADataset) -> Example:
    return next(one for one in dataset.train if one.id == row.id)


def test_an_exercise_is_a_training_question_with_its_evidence_once_among_as_many_passages_as_are_retrieved() -> None:
    dataset = articles()
    for n in (1, 3, 5):
        answered = [row for row in reading(dataset, QA(0.5, n_documents=n)) if gold(row, dataset).answers]
        assert len(answered) > 10
        for row in answered:
            documents, example = shown(row, dataset), gold(row, dataset)
            assert len(documents) == n
            assert [one.id for one in documents].count(example.evidence[0]) == 1
            assert len({one.id for one in documents}) == n
            assert row.completion == f" {example.answers[0]}"
            assert row.cluster == example.cluster


def test_the_evidence_stands_at_every_place_and_a_seed_fixes_which() -> None:
    dataset = articles()
    places = Counter(
        [one.id for one in shown(row, dataset)].index(gold(row, dataset).evidence[0])
        for row in reading(dataset)
        if gold(row, dataset).answers
    )
    assert places.keys() == {0, 1, 2}
    assert made(dataset) == made(dataset)
    assert {row.prompt for row in reading(dataset)} != {row.prompt for row in reading(dataset, seed=1)}
    one, other = ({row.id: row.prompt for row in reading(dataset, QA(0.9), seed)} for seed in (0, 1))
    assert one.keys() == other.keys()  # all of them
    assert sum(one[id] != other[id] for id in one) > len(one) / 2


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_exercises_have_the_share_that_was_asked_for(share: float) -> None:
    found = made(articles(), QA(share))
    assert found.exercises is not None
    assert found.exercises.n_made == sum(row.source == "reading" for row in found.rows)
    assert found.exercises.n_made / len(found.rows) == pytest.approx(share, abs=0.01)


def test_another_number_of_passages_is_another_training() -> None:
    dataset = articles()
    three, five = (made(dataset, QA(0.5, n_documents=n)).rows for n in (3, 5))
    assert [row for row in three if row.source == "qa"] != three
    assert {row.prompt for row in three} != {row.prompt for row in five}


@pytest.mark.parametrize(
    ("overrides", "n"),
    [
        (["mode=finetune"], 3),
        (["mode=rag_finetune"], 3),
        (["mode=rag_format", "retriever.k=5"], 5),
        (["mode=finetune", "adapter.data.n_documents=7"], 7),
        (["mode=finetune", "adapter/data=mixed"], 3),
        (["mode=rag_finetune", "adapter/data=mixed", "retriever.k=2"], 2),
    ],
)
def test_arms_with_and_without_retrieval_make_the_same_exercises_unless_told_otherwise(overrides: list[str], n: int) -> None:
    data = check(composed([*overrides, "generator=tiny"])).adapter.params["data"]
    assert data.params["n_documents"] == n
    assert data.params["unanswerable_share"] == 0.0


def test_a_question_without_an_answer_is_shown_passages_about_its_article_and_answered_so() -> None:
    dataset = articles()
    rows = [row for row in reading(dataset) if not gold(row, dataset).answers]
    assert len(rows) > 10
    for row in rows:
        assert row.completion == f" {ABSTENTION}"
        assert row.cluster in {one.title for one in shown(row, dataset)}


def test_what_passages_are_about_does_not_tell_whether_there_is_an_answer() -> None:
    dataset = articles()
    about = {True: Counter[int](), False: Counter[int]()}
    for row in reading(dataset, QA(0.9)):
        about[bool(gold(row, dataset).answers)][sum(one.title == row.cluster for one in shown(row, dataset))] += 1
    assert [list(one) for one in about.values()] == [[2], [2]]  # of three
    assert {row.prompt.count("[4]") for row in reading(dataset)} == {0}


def test_unanswerable_exercises_are_as_frequent_as_among_the_training_questions_and_never_alone() -> None:
    dataset = articles()
    found = made(dataset).exercises
    assert found is not None
    assert found.n_unanswered == pytest.approx(found.n_made / 2, abs=1)
    some = replace(dataset, train=tuple(one for one in dataset.train if one.answers or one.id.startswith(f"{dataset.train[0].cluster}/")))
    share = sum(not one.answers for one in some.train) / len(some.train)
    few = made(some, QA(0.3)).exercises
    assert few is not None
    assert 0 < share < 0.2
    assert few.n_unanswered / few.n_made == pytest.approx(share, abs=0.06)
    nothing_to_read = replace(dataset, train=tuple(replace(one, evidence=()) for one in dataset.train))
    assert not reading(nothing_to_read)


@pytest.mark.parametrize("splitting", [BY_QUESTION, replace(BY_QUESTION, lessons="others"), Splitting()])
def test_no_exercise_holds_a_question_of_test_or_dev(splitting: Splitting) -> None:
    dataset = articles(splitting)
    hidden = {one.question for one in (*dataset.test, *dataset.dev)}
    rows = reading(dataset, QA(0.9))
    assert len(rows) > 20
    assert none_of(question in row.prompt for row in rows for question in hidden)
    assert {row.id for row in rows} <= {one.id for one in dataset.train}


def test_a_training_question_that_the_test_asks_in_the_same_words_is_no_exercise() -> None:
    dataset = articles()
    twin = next(one for one in dataset.train if one.answers)
    both = replace(dataset, test=(*dataset.test, replace(twin, id="twin", question=twin.question.upper())))
    assert twin.id in {row.id for row in reading(dataset, QA(0.9))}
    found = made(both, QA(0.9)).rows
    assert twin.id in {row.id for row in found if row.source == "qa"}  # which allow_overlap=[questions] accepts
    assert twin.id not in {row.id for row in found if row.source == "reading"}


@pytest.mark.parametrize("part", ["test", "dev"])
def test_a_passage_that_holds_a_question_of_test_or_dev_is_never_shown(part: str) -> None:
    dataset = articles()
    asked_elsewhere = getattr(dataset, part)[0]
    faq = next(one.evidence[0] for one in dataset.train if one.evidence)
    documents = tuple(replace(one, text=f"{one.text} {asked_elsewhere.question}") if one.id == faq else one for one in dataset.documents)
    found = reading(replace(dataset, documents=documents), QA(0.9))
    assert len(found) > 20
    assert none_of(asked_elsewhere.question in row.prompt for row in found)


@pytest.mark.parametrize("splitting", [replace(BY_QUESTION, lessons="others"), Splitting()])
def test_training_about_other_articles_reads_nothing_about_a_tested_one(splitting: Splitting) -> None:
    dataset = articles(splitting)
    tested = {one.cluster for one in (*dataset.test, *dataset.dev)}
    rows = reading(dataset, QA(0.9))
    assert len(rows) > 20
    assert {row.cluster for row in rows}.isdisjoint(tested)
    assert none_of(one.title in tested for row in rows for one in shown(row, dataset))
    assert none_of(name in f"{row.prompt} {row.completion}" for row in rows for name in tested)
    assert budget(dataset, rows).n_trained == 0


def test_training_about_the_tested_articles_may_read_them() -> None:
    dataset = articles()
    assert {row.cluster for row in reading(dataset, QA(0.9))} == {one.cluster for one in dataset.test}


def test_a_control_reads_evidence_of_its_own_where_all_pages_have_one_title_and_nothing_else() -> None:
    one_title = [replace(one, title="Our site") for one in PARAGRAPHS]
    dataset = assemble("site", one_title, QUESTIONS, 0.5, 0, replace(BY_QUESTION, lessons="others"))
    rows = reading(dataset, QA(0.9))
    tested = {one.cluster for one in (*dataset.test, *dataset.dev)}
    read = {one.id for row in rows for one in shown(row, dataset)}
    assert len(rows) > 20
    assert read <= {id for one in dataset.train for id in one.evidence}
    assert none_of(id.partition("#")[0] in tested for id in read)


def test_a_control_whose_evidence_is_tested_too_has_no_exercises_and_says_why(caplog: pytest.LogCaptureFixture) -> None:
    others = replace(BY_QUESTION, lessons="others")
    dataset = articles(others)
    shared = replace(dataset, test=(*dataset.test, replace(dataset.test[0], id="all", evidence=tuple(one.id for one in dataset.documents))))
    with caplog.at_level(logging.WARNING):
        found = made(shared)
    assert found.exercises is not None
    assert found.exercises.why_none.startswith("the evidence of the training questions is what test or dev questions are about, too")
    assert caplog.text.count("trained without reading exercises") == 1


def test_equal_texts_and_documents_as_good_as_the_evidence_are_no_distractors() -> None:
    dataset = articles()
    copies = tuple(replace(one, id=f"{one.id}/copy") for one in dataset.documents)
    doubled = replace(dataset, documents=(*dataset.documents, *copies))
    for row in reading(doubled, QA(0.9)):
        texts = [one.text for one in shown(row, dataset)]
        assert len(texts) == len(set(texts)) == 3


def test_a_control_does_not_read_evidence_of_its_own_that_is_called_after_what_is_tested() -> None:
    dataset = articles(replace(BY_QUESTION, lessons="others"))
    own = next(one.evidence[0] for one in dataset.train if one.evidence)
    tested = dataset.test[0].cluster
    called = replace(dataset, documents=tuple(replace(one, title=tested) if one.id == own else one for one in dataset.documents))
    assert own in {one.id for row in reading(dataset, QA(0.9)) for one in shown(row, dataset)}
    rows = reading(called, QA(0.9))
    assert len(rows) > 20
    assert own not in {one.id for row in rows for one in shown(row, called)}


def test_questions_about_nothing_known_read_nothing_that_is_tested_either_where_training_is_about_other_articles() -> None:
    one_title = [replace(one, title="Our site") for one in PARAGRAPHS]
    unplaced = [replace(one, cluster=one.id) if not one.answers else one for one in QUESTIONS]
    dataset = assemble("site", one_title, unplaced, 0.5, 0, Splitting())
    tested = {id for one in (*dataset.test, *dataset.dev) for id in one.evidence}
    rows = [row for row in reading(dataset, QA(0.9)) if not gold(row, dataset).answers]
    assert len(rows) > 10
    assert none_of(one.id in tested for row in rows for one in shown(row, dataset))


def test_a_passage_that_holds_a_question_of_training_and_test_alike_is_never_shown() -> None:
    dataset = articles()
    twin, other = [one for one in dataset.train if one.answers and one.cluster != dataset.train[0].cluster][:2]
    documents = tuple(replace(one, text=f"{one.text} {twin.question}") if one.id == other.evidence[0] else one for one in dataset.documents)
    both = replace(dataset, documents=documents, test=(*dataset.test, replace(twin, id="twin")))
    rows = reading(both, QA(0.9))
    assert len(rows) > 20
    assert none_of(twin.question in row.prompt for row in rows)


def test_exercises_without_an_answer_are_no_more_than_the_share_has_room_for() -> None:
    dataset = articles()
    answered = [one for one in dataset.train if one.answers]
    n_silent = sum(not one.answers for one in dataset.train)
    few = replace(dataset, train=tuple(one for one in dataset.train if not one.answers or one in answered[:4]))
    counts = made(few, QA(0.5)).exercises
    assert n_silent > 20
    assert counts is not None
    assert (counts.n_made, counts.n_unanswered) == (4, 3)


def test_copies_of_a_passage_take_no_place_from_others() -> None:
    dataset = articles()
    copies = tuple(Document(f"{one.id}/licence/{at}", "All rights reserved.", one.title) for one in dataset.documents for at in range(10))
    copied = replace(dataset, documents=(*dataset.documents, *copies))
    assert {row.prompt.count("[3]") for row in reading(copied, QA(0.9))} == {1}


def test_an_exercise_that_is_longer_than_the_model_reads_is_left_out_counted_and_replaced(caplog: pytest.LogCaptureFixture) -> None:
    dataset = articles()
    long = {one.evidence[0] for one in dataset.train if one.answers and one.evidence[0].endswith(("#0", "#1"))}
    documents = tuple(replace(one, text=one.text + " more" * 400) if one.id in long else one for one in dataset.documents)
    reader: Any = SimpleNamespace(**{**vars(GENERATOR), "n_positions": 1_000, "model": "small"})
    reader.count_row_tokens = lambda rows: [len(row.prompt) + len(row.completion) for row in rows]
    with caplog.at_level(logging.WARNING):
        found = made(replace(dataset, documents=documents), QA(0.2), generator=reader)
    usual = made(dataset, QA(0.2)).exercises
    assert found.exercises is not None
    assert usual is not None
    assert found.exercises.n_too_long > 0
    assert found.exercises.n_made == usual.n_made
    assert f"left out {counted(found.exercises.n_too_long, 'reading exercise', 'reading exercises')} longer than" in caplog.text
    none = made(replace(dataset, documents=tuple(replace(one, text=one.text + " more" * 400) for one in documents)), generator=reader)
    assert none.exercises is not None
    assert "set adapter.data.n_documents lower or cut the documents (chunker=sentences)" in none.exercises.why_none


def test_questions_without_an_answer_are_asked_with_passages_alone_unless_told_otherwise() -> None:
    dataset = articles()
    n, n_unanswerable = (sum(bool(one.answers) is is_answerable for one in dataset.train) for is_answerable in (True, False))

    def alone(share: float | None) -> int:
        rows = [row for row in made(dataset, QA(0.0, unanswerable_share=share)).rows if row.source == "qa"]
        assert sum(row.completion != f" {ABSTENTION}" for row in rows) == n
        return len(rows) - n

    assert n_unanswerable > 20
    assert [alone(0.0), alone(0.2), alone(0.9), alone(None)] == [0, round(n / 4), n_unanswerable, n_unanswerable]
    mixed = made(dataset, Mixed(0, 1.0, "reading", 0.0, unanswerable_share=None)).rows
    assert {row.id for row in mixed if row.source == "qa"} == {one.id for one in dataset.train}
    assert every(gold(row, dataset).answers for row in made(dataset, Mixed(0, 1.0, "reading", 0.0)).rows if row.source == "qa")


def test_training_is_stopped_by_dev_questions_of_the_kind_that_is_trained() -> None:
    dataset = articles()
    answered = [one for one in dataset.dev if one.answers]
    assert 0 < len(answered) < len(dataset.dev)
    for share, wanted in ((0.0, answered), (None, list(dataset.dev))):
        rows = made(dataset, QA(0.5, unanswerable_share=share)).rows
        assert [row.id for row in dev_rows(GENERATOR, PROMPT, dataset, rows)] == [one.id for one in wanted]


def test_a_mixture_takes_the_same_exercises_for_what_is_general() -> None:
    dataset = articles()
    mixed, alone = ({row.id: row.prompt for row in reading(dataset, data)} for data in (Mixed(0, 1.0, "reading", 0.5), QA(0.9)))
    assert len(mixed) > 20
    assert mixed.items() <= alone.items()


def test_exercises_that_a_dataset_brings_are_taken_and_none_is_made() -> None:
    for dataset in (PEOPLE_DATASET, world("ci", 0)):
        found = made(dataset, QA(0.5))
        n = sum(row.source == "replay" for row in found.rows)
        assert found.exercises == ExerciseCounts(n_brought=n)
        assert n > 0
        assert not [row for row in found.rows if row.source == "reading"]


def test_a_record_says_how_many_exercises_there_are_and_where_they_come_from() -> None:
    dataset = articles()
    found = made(dataset)
    known = budget(dataset, found.rows, found.exercises)
    assert known.exercises == found.exercises
    assert known.rows["reading"] == known.exercises.n_made
    counts = ExerciseCounts(n_made=8, n_unanswered=3, n_too_long=2)
    assert knowledge_note(replace(known, exercises=counts)).endswith(
        "; reading exercises: 8 made of training questions (3 without an answer), 2 left out as too long for the model"
    )
    assert knowledge_note(replace(known, exercises=ExerciseCounts(n_brought=5))).endswith("; reading exercises: 5 brought by the dataset")
    assert knowledge_note(replace(known, exercises=ExerciseCounts(why_none="it rained"))).endswith("; no reading exercises, for it rained")
    assert "exercises" not in knowledge_note(replace(known, exercises=ExerciseCounts()))
    assert "exercises" not in knowledge_note(replace(known, exercises=None))


@pytest.mark.parametrize("has_evidence", [True, False])
def test_a_folder_makes_exercises_where_its_questions_name_their_documents_and_says_why_not(
    has_evidence: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = ("refunds", "hours", "parts", "jobs", "staff")
    for name in names:
        (tmp_path / f"{name}.txt").write_text(f"All about {name}: one, two, three.", encoding="utf-8")
    evidence = {name: f"{name}.txt" if has_evidence else "" for name in names}
    rows = [f"{name}{at},What is word {at} on {name}?,w{at},{evidence[name]},{name}" for name in names for at in range(4)]
    file = tmp_path.parent / f"{tmp_path.name}.csv"
    file.write_text("\n".join(["id,question,answers,evidence,cluster", *rows]), encoding="utf-8")
    dataset = folder(str(tmp_path), str(file), 0.5, 0, "question")
    with caplog.at_level(logging.WARNING):
        found = made(dataset)
    assert found.exercises is not None
    if has_evidence:
        assert found.exercises.n_made == len(dataset.train) > 0
        assert not found.exercises.why_none
    else:
        assert found.exercises == ExerciseCounts(why_none="no training question with an answer names evidence in the corpus")
        assert caplog.text.count("trained without reading exercises: no training question with an answer names evidence") == 1
