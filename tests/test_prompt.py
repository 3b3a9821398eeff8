"""The prompt holds system prompt, passages, history and question; only the context slot differs between arms."""

from __future__ import annotations

import pytest

from rag_eval.errors import DataError
from rag_eval.prompt import Prompt
from rag_eval.types import Document, Example, Turn

DOCUMENTS = (Document("a", "Velor disease affects the liver.", "Velor disease"), Document("b", "Nothing of note.", "Other"))
ASKED = Example("q", "What does it affect?", ("liver",), history=(Turn("What is Velor?", "a disease"),))


def test_a_prompt_is_system_context_history_question_in_this_order() -> None:
    text = Prompt("Be brief.").render(ASKED, DOCUMENTS).text
    assert text == (
        "Be brief.\n\nContext:\n[1] Velor disease: Velor disease affects the liver.\n[2] Other: Nothing of note.\n\n"
        "Question: What is Velor?\nAnswer: a disease\nQuestion: What does it affect?\nAnswer:"
    )


def test_without_passages_the_context_slot_is_empty() -> None:
    assert Prompt("Be brief.").render(Example("q", "Why?", ()), ()).text == "Be brief.\n\nQuestion: Why?\nAnswer:"


def test_the_stripped_hash_is_equal_with_and_without_passages_and_differs_between_questions() -> None:
    prompt = Prompt("Be brief.")
    assert prompt.render(ASKED, DOCUMENTS).stripped_sha == prompt.render(ASKED, ()).stripped_sha
    assert prompt.render(ASKED, ()).stripped_sha != prompt.render(Example("q", "Why?", ()), ()).stripped_sha
    assert prompt.render(ASKED, ()).stripped_sha != Prompt("Be long.").render(ASKED, ()).stripped_sha


def test_chat_messages_carry_the_history_as_turns_and_the_passages_with_the_question() -> None:
    roles, contents = zip(*Prompt("Be brief.").render(ASKED, DOCUMENTS).messages, strict=True)
    assert roles == ("system", "user", "assistant", "user")
    assert contents[1:3] == ("What is Velor?", "a disease")
    assert contents[3].startswith("Context:\n[1] ")
    assert contents[3].endswith("Question: What does it affect?")


TRAIN = [Example(f"t{at}", f"Q{at}?", (f"A{at}",), cluster=f"c{at % 5}", meta={"kind": at // 5}) for at in range(20)]


def test_exemplars_differ_in_cluster_and_kind_and_leave_the_stripped_hash_alone() -> None:
    plain = Prompt("Be brief.", n_exemplars=3)
    learned = plain.learn(TRAIN)
    rendered = learned.render(ASKED, ())
    shown = [example for example in TRAIN if f"Question: {example.question}\nAnswer: {example.answers[0]}\n" in rendered.text]
    assert len({example.cluster for example in shown}) == len({example.meta["kind"] for example in shown}) == len(shown) == 3
    assert rendered.stripped_sha == plain.render(ASKED, ()).stripped_sha


def test_a_question_is_never_shown_a_solved_one_about_its_own_entity() -> None:
    learned = Prompt("Be brief.", n_exemplars=3).learn(TRAIN)
    for example in TRAIN:
        (_, *roles), (_, *contents) = zip(*learned.render(example, ()).messages, strict=True)
        assert roles == ["user", "assistant"] * 3 + ["user"]
        assert not {other.question for other in TRAIN if other.cluster == example.cluster} & set(contents[:-1])


def test_too_few_solved_questions_are_refused_with_what_to_set() -> None:
    with pytest.raises(DataError, match=r"about 5 entities or articles, found 4\. Set dataset\.train_share"):
        Prompt("Be brief.", n_exemplars=4).learn([one for one in TRAIN if one.cluster != "c0"])
    assert Prompt("Be brief.").learn([]).exemplars == ()
