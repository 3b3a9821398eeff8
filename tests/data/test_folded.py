"""What is found in a folded text is found again in the text itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_eval.data.chunking.folded_text import folded


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Die  STRASSE\n\tist\u2003lang ", "die strasse ist lang "),
        ("Maße \u00ad\u200d x", "masse  x"),
        ("caf\u0065\u0301 e\u0323\u0302", "caf\u00e9 \u1ec7"),
        ("\u2068İ\u2069", "i\u0307"),
        ("❤\ufe0f", "❤"),
        ("", ""),
    ],
)
def test_a_folded_text_has_small_composed_letters_and_single_blanks(text: str, plain: str) -> None:
    assert folded(text).text == plain


def test_a_place_is_all_of_what_was_folded() -> None:
    text = "A  Maße\u00ad cafe\u0301\n\nx"
    found = folded(text)
    for words, original in (
        ("masse", "Maße"),
        ("café", "cafe\u0301"),
        ("a masse", "A  Maße"),
        (" x", "\n\nx"),
        ("s", "ß"),
        ("e c", "e\u00ad c"),
    ):
        start = found.text.index(words)
        begin, end = found.place(start, start + len(words))
        assert text[begin:end] == original


@given(st.text(alphabet=st.sampled_from("aßÉe\u0301\u00ad\u200b \n\u1112\u1161ﬁx"), max_size=30))
def test_every_place_folds_back_to_what_stands_there(text: str) -> None:
    found = folded(text)
    for at, character in enumerate(found.text):
        begin, end = found.place(at, at + 1)
        assert 0 <= begin < end <= len(text)
        assert character in folded(text[begin:end]).text
