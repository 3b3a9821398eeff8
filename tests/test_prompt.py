"""The prompt holds system prompt, passages, history and question; only the context slot differs between arms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from rag_eval.errors import DataError
from rag_eval.exemplars import n_available
from rag_eval.prompt import PromptTemplate
from rag_eval.types import Document, Example, QADataset, ReadingExercise, Turn

DOCUMENTS = (Document("a", "Velor disease affects the liver.", "Velor disease"), Document("b", "Nothing of note.", "Other"))
ASKED = Example("q", "What does it affect?", ("liver",), history=(Turn("What is Velor?", "a disease"),))


def test_a_prompt_is_system_context_history_question_in_this_order() -> None:
    text = PromptTemplate("Be brief.").render(ASKED, DOCUMENTS).text
    assert text == (
        "Be brief.\n\nContext:\n[1] Velor disease: Velor disease affects the liver.\n[2] Other: Nothing of note.\n\n"
        "Question: What is Velor?\nAnswer: a disease\nQuestion: What does it affect?\nAnswer:"
    )


def test_without_passages_the_context_slot_is_empty() -> None:
    assert PromptTemplate("Be brief.").render(Example("q", "Why?", ()), ()).text == "Be brief.\n\nQuestion: Why?\nAnswer:"


def test_the_stripped_hash_is_equal_with_and_without_passages_and_differs_between_questions() -> None:
    prompt = PromptTemplate("Be brief.")
    assert prompt.render(ASKED, DOCUMENTS).stripped_sha == prompt.render(ASKED, ()).stripped_sha
    assert prompt.render(ASKED, ()).stripped_sha != prompt.render(Example("q", "Why?", ()), ()).stripped_sha
    assert prompt.render(ASKED, ()).stripped_sha != PromptTemplate("Be long.").render(ASKED, ()).stripped_sha


def test_chat_messages_carry_the_history_as_turns_and_the_passages_with_the_question() -> None:
    roles, contents = zip(*PromptTemplate("Be brief.").render(ASKED, DOCUMENTS).messages, strict=True)
    assert roles == ("system", "user", "assistant", "user")
    assert contents[1:3] == ("What is Velor?", "a disease")
    assert contents[3].startswith("Context:\n[1] ")
    assert contents[3].endswith("Question: What does it affect?")


TRAIN = tuple(Example(f"t{at}", f"Q{at}?", (f"A{at}",), (f"d{at}",), cluster=f"c{at % 5}", meta={"kind": at // 5}) for at in range(20))
CORPUS = tuple(Document(f"d{at}", f"It is said of {at:02}.", f"T{at}") for at in range(20))


def dataset(train: Sequence[Example] = TRAIN, **more: Any) -> QADataset:
    return QADataset("d", "sha", CORPUS, tuple(train), (), (), **more)


def test_exemplars_differ_in_cluster_and_kind_and_leave_the_stripped_hash_alone() -> None:
    plain = PromptTemplate("Be brief.", n_exemplars=3)
    learned = plain.learn(dataset())
    rendered = learned.render(ASKED, ())
    shown = [example for example in TRAIN if f"Question: {example.question}\nAnswer: {example.answers[0]}\n\n" in rendered.text]
    assert len({example.cluster for example in shown}) == len({example.meta["kind"] for example in shown}) == len(shown) == 3
    assert rendered.stripped_sha == plain.render(ASKED, ()).stripped_sha


def test_exemplars_show_their_passages_where_the_question_has_some_and_only_there() -> None:
    learned = PromptTemplate("Be brief.", n_exemplars=1).learn(dataset())
    (shown,) = [one for one in learned.exemplars[:1]]
    number = shown.example.id.removeprefix("t")
    solved = f"Question: Q{number}?\nAnswer: A{number}\n\n"
    passage = f"Context:\n[1] T{number}: It is said of {int(number):02}.\n\n"
    asked = Example("q", "Why?", ())
    assert learned.render(asked, ()).text == f"Be brief.\n\n{solved}Question: Why?\nAnswer:"
    context = "Context:\n[1] Velor disease: Velor disease affects the liver.\n\n"
    rendered = learned.render(asked, DOCUMENTS[:1])
    assert rendered.text == f"Be brief.\n\n{passage}{solved}{context}Question: Why?\nAnswer:"
    assert rendered.messages == (
        ("system", "Be brief."),
        ("user", f"{passage}Question: Q{number}?"),
        ("assistant", f"A{number}"),
        ("user", f"{context}Question: Why?"),
    )


def test_a_question_is_never_shown_a_solved_one_about_its_own_entity() -> None:
    learned = PromptTemplate("Be brief.", n_exemplars=3).learn(dataset())
    for example in TRAIN:
        (_, *roles), (_, *contents) = zip(*learned.render(example, ()).messages, strict=True)
        assert roles == ["user", "assistant"] * 3 + ["user"]
        assert not {other.question for other in TRAIN if other.cluster == example.cluster} & set(contents[:-1])


def test_exemplars_are_about_others_than_are_asked_where_there_are_such() -> None:
    others = tuple(replace(one, id=f"o{at}", question=f"O{at}?", cluster=f"o{at}") for at, one in enumerate(TRAIN))
    reading = tuple(ReadingExercise(replace(one, question=f"R{at}?"), (CORPUS[at],)) for at, one in enumerate(TRAIN))
    for given, sign in (({"others": others}, "O"), ({"others": others, "reading": reading}, "R")):
        learned = PromptTemplate("Be brief.", n_exemplars=3).learn(dataset(**given))
        assert {one.example.question[0] for one in learned.exemplars} == {sign}
    assert learned.render(TRAIN[0], ()).text.count("Answer: ") == 3  # exercises about others of the same name are about others


def test_exemplars_are_the_same_whatever_is_trained_on() -> None:
    others = tuple(replace(one, question=f"O{at}?", cluster=f"o{at}") for at, one in enumerate(TRAIN))
    prompt, own, control = PromptTemplate("Say.", n_exemplars=2), dataset(others=others), dataset(train=others, others=others)
    assert prompt.learn(own).exemplars == prompt.learn(control).exemplars


def test_exemplars_are_drawn_from_those_with_the_shorter_passages() -> None:
    long = tuple(replace(one, text=one.text * 1000) if at % 2 else one for at, one in enumerate(CORPUS))
    learned = PromptTemplate("Be brief.", n_exemplars=3).learn(replace(dataset(), documents=long))
    assert max(len(passage.text) for one in learned.exemplars for passage in one.documents) < 100


def test_exemplars_are_the_same_whether_documents_are_cut_or_not() -> None:
    growing = [replace(one, text=one.text * (1 + at * 7 % 20) + "\n") for at, one in enumerate(CORPUS)]
    halves = [(one, start, start + len(one.text) // 2 + 1) for one in growing for start in (0, len(one.text) // 2 + 1)]
    chunks = [
        Document(f"{one.id}@{start}", one.text[start:end], one.title, {"source": one.id, "start": start, "end": end})
        for one, start, end in halves
    ]
    first = [replace(one, evidence=(f"{one.evidence[0]}@0",)) for one in TRAIN[:10]]
    last = [replace(one, evidence=tuple(chunk.id for chunk in chunks if chunk.meta["source"] == one.evidence[0])) for one in TRAIN[10:]]
    cut = replace(dataset([*first, *last]), documents=tuple(chunks))
    shown = [PromptTemplate("Say.", n_exemplars=3).learn(one).exemplars for one in (replace(dataset(), documents=tuple(growing)), cut)]
    assert [one.example.id for one in shown[0]] == [one.example.id for one in shown[1]]


def test_a_document_whose_source_is_no_place_is_taken_whole() -> None:
    named = tuple(replace(one, meta={"source": "the web", "start": "2020", "end": "2021"}) for one in CORPUS)
    assert n_available(replace(dataset(), documents=named)) == 4


def test_where_the_shorter_passages_are_of_too_few_all_are_drawn_from() -> None:
    five = [replace(TRAIN[at], cluster=f"c{at}") for at in range(5)]
    growing = tuple(replace(one, text=one.text * (1 + at)) for at, one in enumerate(CORPUS))
    few = replace(dataset(five), documents=growing)
    assert n_available(few) == 4
    assert len(PromptTemplate("Be brief.", n_exemplars=4).learn(few).exemplars) == 5


def test_a_question_in_the_words_of_a_tested_one_is_no_exemplar_even_of_another_cluster() -> None:
    asked = tuple(replace(one, id=f"test {one.id}", cluster=f"asked {one.id}") for one in TRAIN[:15])
    leaky = replace(dataset(), test=asked[:10], dev=asked[10:])
    shown = PromptTemplate("Be brief.", n_exemplars=4).learn(leaky).exemplars
    assert {one.example.id for one in shown} == {one.id for one in TRAIN[15:]}


def test_longer_passages_are_shown_where_the_shorter_half_is_about_too_few() -> None:
    growing = tuple(replace(one, text=one.text * (1 + at % 5)) for at, one in enumerate(CORPUS))
    few = replace(dataset(), documents=growing)
    n = len({one.cluster for one in TRAIN})
    assert n_available(few) == n - 1
    assert len({one.example.cluster for one in PromptTemplate("Be brief.", n_exemplars=n - 1).learn(few).exemplars}) == n


def test_too_few_solved_questions_are_refused_with_what_to_set() -> None:
    with pytest.raises(DataError, match=r"about 5 entities or articles, found 4\. Set prompt\.n_exemplars lower"):
        PromptTemplate("Be brief.", n_exemplars=4).learn(dataset([one for one in TRAIN if one.cluster != "c0"]))
    assert PromptTemplate("Be brief.").learn(dataset([])).exemplars == ()


@pytest.mark.parametrize("form", [{"style": "auto"}, {"n_exemplars": "auto"}])
def test_a_form_that_is_still_to_be_chosen_is_not_guessed(form: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="to be chosen first"):
        PromptTemplate("Be brief.", **form).learn(dataset())


@pytest.mark.parametrize("style", ["chat", "plain"])
def test_a_prompt_says_in_which_style_it_is_to_be_given(style: Any) -> None:
    assert PromptTemplate("Be brief.", style=style).render(ASKED, ()).style == style
