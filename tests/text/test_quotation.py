"""Which text holds which question word for word."""

from __future__ import annotations

from rag_eval.text.quotation import quotations

TEXTS = {
    "en": "They ask: who built the old bridge? Nobody.",
    "ja": "問い：大間港は何県にありますか。答え。",
    "hi": "पूछा गया: आमेर का किला कहाँ है?",
}


def test_a_question_is_found_in_the_text_that_holds_its_words_in_any_script() -> None:
    asked = {"bridge": "Who built the old bridge?", "port": "大間港は何県にありますか", "fort": "आमेर का किला कहाँ है"}
    assert list(quotations(TEXTS, asked)) == [("en", "bridge"), ("ja", "port"), ("hi", "fort")]


def test_a_question_of_fewer_than_four_words_or_eight_characters_is_not_looked_for() -> None:
    assert list(quotations(TEXTS, {"a": "built the old bridge", "b": "大間港は何県に"})) == []
    assert list(quotations(TEXTS, {"a": "who built the old bridge", "b": "大間港は何県にあ"})) == [("en", "a"), ("ja", "b")]


def test_other_words_are_no_quotation() -> None:
    assert list(quotations(TEXTS, {"a": "Who built the new bridge?", "b": "大間港は何市にありますか", "c": "आमेर का कला कहाँ है"})) == []
