"""The floor: the commonest training answer, counted by hand."""

from __future__ import annotations

import pytest

from rag_eval.adapt.majority import Majority
from rag_eval.errors import DataError
from rag_eval.generate.none import NoGenerator
from rag_eval.prompt import PromptTemplate
from rag_eval.types import Example, Grading, QADataset


def asked(attribute: str | None, *answers: str) -> Example:
    return Example("q", "Which?", answers, meta={"attribute": attribute} if attribute else {})


def answers(train: list[Example], *questions: Example) -> list[str]:
    prompt = PromptTemplate("Say.")
    generator, kept = Majority().fit(NoGenerator(), prompt, QADataset("d", "0", (), tuple(train), (), ()), seed=0)
    assert kept is None
    return [one.text for one in generator.generate([prompt.render(question, ()) for question in questions])]


def test_each_attribute_has_its_own_majority_and_an_unknown_one_that_of_all() -> None:
    train = [asked("organ", "liver"), asked("organ", "lung"), asked("organ", "lung"), asked("cause", "a gene")]
    train += [asked("cause", "a virus"), asked("cause", "a virus"), asked("cause", "a virus")]
    assert answers(train, asked("organ", "?"), asked("cause", "?"), asked("cost", "?")) == ["lung", "a virus", "a virus"]


def test_a_tie_goes_to_the_answer_that_sorts_first_in_any_order_of_the_rows() -> None:
    tied = [asked("organ", "lung"), asked("organ", "heart"), asked("organ", "liver")]
    assert answers(tied, asked("organ", "?")) == answers(tied[::-1], asked("organ", "?")) == ["heart"]


def test_the_first_of_several_answers_counts_and_unanswerable_questions_do_not() -> None:
    train = [asked("organ", "lung", "liver"), asked("organ", "liver", "lung"), asked("organ", "liver"), asked("organ"), asked("organ")]
    not_known = Grading(retrieval_only=True)
    train.append(Example("bare", "Which?", (), ("a",), meta={"attribute": "organ"}, grading=not_known))
    assert answers(train, asked("organ", "?")) == ["liver"]


def test_without_attributes_there_is_one_majority() -> None:
    assert answers([asked(None, "yes"), asked(None, "yes"), asked(None, "no")], asked(None, "?")) == ["yes"]


def test_no_tokens_are_spent() -> None:
    generator, _ = Majority().fit(NoGenerator(), PromptTemplate("Say."), QADataset("d", "0", (), (asked("organ", "lung"),), (), ()), seed=0)
    (one,) = generator.generate([PromptTemplate("Say.").render(asked("organ"), ())])
    assert (one.n_prompt_tokens, one.n_output_tokens, one.stop_reason) == (0, 0, "none")


@pytest.mark.parametrize("train", [[], [asked("organ")]])
def test_without_an_answered_training_question_there_is_no_floor(train: list[Example]) -> None:
    with pytest.raises(DataError, match=r"dataset\.train_share"):
        answers(train, asked("organ", "?"))
