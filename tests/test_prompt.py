"""The prompt holds system prompt, passages, history and question; only the context slot differs between arms."""

from __future__ import annotations

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


def test_exemplars_come_from_different_clusters_and_leave_the_stripped_hash_alone() -> None:
    train = [Example(f"t{at}", f"Q{at}?", (f"A{at}",), cluster=f"c{at % 5}") for at in range(20)]
    plain = Prompt("Be brief.", n_exemplars=3)
    learned = plain.learn(train)
    assert len(learned.exemplars) == 3
    assert len({turn.question for turn in learned.exemplars}) == 3
    assert learned.render(ASKED, ()).stripped_sha == plain.render(ASKED, ()).stripped_sha
    assert f"Question: {learned.exemplars[0].question}\nAnswer: {learned.exemplars[0].answer}\n" in learned.render(ASKED, ()).text
