"""Every wrong answer has one cause, the first place where its evidence was lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rag_eval.score.error_attribution import CAUSES, attribute
from rag_eval.types import Document, Example, Grading, Prediction

DOCUMENTS = {
    "gold": Document("gold", "The river is 10 km long.", "Nile"),
    "other": Document("other", "The canal is 12 km long.", "Suez"),
}
EXAMPLE = Example("q", "How long?", ("10 km",), ("gold",), grading=Grading(stale_answers=("9 km",)))
WRONG = Prediction("q", "12 km", ("other", "gold"), (0.9, 0.8), ("other", "gold"), 0, "", 1, 1, {}, "answered", "stop")


def cause(prediction: Prediction, example: Example = EXAMPLE) -> str:
    return attribute(prediction, example, DOCUMENTS.keys(), DOCUMENTS).cause


def test_the_evidence_is_followed_on_its_way_into_the_prompt() -> None:
    assert cause(WRONG, replace(EXAMPLE, evidence=())) == "no_gold"
    assert cause(WRONG, replace(EXAMPLE, evidence=("gold", "nowhere"))) == "not_in_corpus"
    assert cause(replace(WRONG, in_prompt=("other",))) == "not_retrieved"
    assert cause(replace(WRONG, in_prompt=("other",), n_truncated=1)) == "truncated"
    assert cause(WRONG) == "in_prompt_unused"
    assert len(CAUSES) == 6


def test_evidence_below_the_k_that_enter_the_prompt_counts_as_not_retrieved() -> None:
    deep = replace(WRONG, retrieved=("other", "x", "gold"), in_prompt=("other", "x"))
    assert cause(deep) == "not_retrieved"


def test_a_distractor_is_named_and_evidence_is_none() -> None:
    assert attribute(WRONG, EXAMPLE, DOCUMENTS, DOCUMENTS).distracted_by == "other"
    assert attribute(replace(WRONG, text="10 km long"), EXAMPLE, DOCUMENTS, DOCUMENTS).distracted_by is None
    assert attribute(replace(WRONG, text="2 km"), EXAMPLE, DOCUMENTS, DOCUMENTS).distracted_by is None  # not within "12 km"


def test_a_distractor_is_found_in_scripts_without_spaces_and_not_by_an_article() -> None:
    held = {**DOCUMENTS, "other": Document("other", "A port: 大間港は青森県にある。")}
    said = [attribute(replace(WRONG, text=text), EXAMPLE, held, held).distracted_by for text in ("青森県。", "青県", "A")]
    assert said == ["other", None, None]


def test_an_article_was_right_before() -> None:
    example = replace(EXAMPLE, grading=Grading(stale_answers=("A",)))
    assert [attribute(replace(WRONG, text=text), example, DOCUMENTS, DOCUMENTS).is_stale for text in ("A.", "the")] == [True, False]


@pytest.mark.parametrize(("text", "is_stale"), [("9 km.", True), ("12 km", False), ("", False), ("unknown", False)])
def test_a_stale_answer_is_one_that_was_right_before(text: str, is_stale: bool) -> None:
    assert attribute(replace(WRONG, text=text), EXAMPLE, DOCUMENTS, DOCUMENTS).is_stale is is_stale


def test_saying_nothing_or_unknown_is_not_distraction() -> None:
    held = {**DOCUMENTS, "other": Document("other", "The length is unknown.")}
    for text in ("", "unknown"):
        assert attribute(replace(WRONG, text=text), EXAMPLE, held, held).distracted_by is None


def test_a_misled_answer_is_what_some_document_states_against_the_truth() -> None:
    example = replace(EXAMPLE, grading=Grading(misleading_answers=("12 km",)))
    assert [attribute(replace(WRONG, text=text), example, DOCUMENTS, DOCUMENTS).is_misled for text in ("12 km", "9 km", "")] == [
        True,
        False,
        False,
    ]


def test_a_document_that_says_the_same_is_neither_a_distractor_nor_missing_evidence() -> None:
    twin = Document("twin", "It is 12 km long.")
    example = replace(EXAMPLE, grading=Grading(same_as={"twin": ("gold",)}))
    answered = replace(WRONG, text="12 km", retrieved=("twin",), in_prompt=("twin",))
    found = attribute(answered, example, {**DOCUMENTS, "twin": twin}, {**DOCUMENTS, "twin": twin})
    assert (found.cause, found.distracted_by) == ("in_prompt_unused", None)
    without = attribute(answered, EXAMPLE, {**DOCUMENTS, "twin": twin}, {**DOCUMENTS, "twin": twin})
    assert (without.cause, without.distracted_by) == ("not_retrieved", "twin")
