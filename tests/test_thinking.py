"""A thought is told from an answer by how models spell it, and never scored."""

from __future__ import annotations

import pytest

from rag_eval.models.thinking import PHRASES, TAGS, Said, closing, opened, split

THOUGHT, ANSWER = "Ada lives\nsomewhere.", "Adatown"


@pytest.mark.parametrize(("opener", "closer"), [*TAGS, *PHRASES])
def test_each_spelling_of_a_thought_is_taken_off(opener: str, closer: str) -> None:
    assert split(f"{opener}\n{THOUGHT}\n{closer}\n\n{ANSWER}") == Said(THOUGHT, ANSWER)
    assert split(f"\n {opener}{closer}{ANSWER}") == Said("", ANSWER)
    assert split(f"{opener}\n{THOUGHT}") == Said(THOUGHT, "", is_cut=True)
    assert split(f"{opener}\n{THOUGHT}\n{closer}") == Said(THOUGHT, "")


@pytest.mark.parametrize(("opener", "closer"), TAGS)
def test_the_end_of_a_thought_that_the_prompt_opened_is_enough(opener: str, closer: str) -> None:
    assert split(f"{THOUGHT}\n{closer}\n\n{ANSWER}") == Said(THOUGHT, ANSWER)


HARMONY = "<|channel|>analysis<|message|>Ada lives<|end|><|start|>assistant"


@pytest.mark.parametrize(
    ("text", "answer", "is_cut"),
    [
        (f"{HARMONY}<|channel|>final<|message|>{ANSWER}", ANSWER, False),
        (f"{HARMONY}<|channel|>final <|constrain|>json<|message|>{ANSWER}<|return|>", ANSWER, False),
        (f"{HARMONY}<|channel|>commentary<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>{ANSWER}", ANSWER, False),
        (f"<|channel|>final<|message|>{ANSWER}", ANSWER, False),
        (HARMONY, "", True),
        ("<|channel|>analysis<|message|>Ada li", "", True),
        (f"analysisAda livesassistantfinal{ANSWER}", ANSWER, False),
        ("analysis of variance", "analysis of variance", False),
    ],
)
def test_the_final_channel_is_the_answer(text: str, answer: str, is_cut: bool) -> None:
    found = split(text)
    assert (found.answer, found.is_cut) == (answer, is_cut)


@pytest.mark.parametrize(
    "text", ["Adatown", "", " \n", "The tag <think> opens a thought.", "x < y", "Here is my answer: 3", "I think</b>", "[THINKER]"]
)
def test_an_answer_without_a_thought_stays_as_it_is(text: str) -> None:
    assert split(text) == Said("", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>a</think>Hm<think>b</think> Adatown", Said("a</think>Hm<think>b", "Adatown")),
        ("<think>a</think><reasoning>b</reasoning>Adatown", Said("a\nb", "Adatown")),
        ("<think>a</think>\n<think>b", Said("a\nb", "", is_cut=True)),
        ("<think>a</think>\n<answer>\nAdatown\n</answer>", Said("a", "Adatown")),
        ("<answer>Adatown</answer>", Said("", "<answer>Adatown</answer>")),
        ("<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>Adatown<|END_RESPONSE|>", Said("a", "Adatown")),
        ("Adatown<|END_RESPONSE|>", Said("", "Adatown")),
    ],
)
def test_several_thoughts_and_answers_in_tags(text: str, expected: Said) -> None:
    assert split(text) == expected


def test_a_prompt_opens_a_thought_only_at_its_end() -> None:
    assert opened("<|assistant|>\n<think>\n") == "<think>"
    assert opened("<|turn>model\n<|channel>thought\n") == "<|channel>thought"
    assert [opened(text) for text in ("<think> is a tag", "<think>\n\n</think>\n\n", "", "<|assistant|>")] == [""] * 4
    assert closing("<|assistant|><think>") == "\n</think>\n\n"
    assert closing("<|assistant|>") == ""
