"""Words of every script: what is told apart, and what stays together."""

from __future__ import annotations

import unicodedata

import pytest

from rag_eval.score.answer import containment, subsequence_f1, token_f1, token_recall
from rag_eval.text.normalize import exact_match, normalize
from rag_eval.text.words import folded, length, segments, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It's an X-ray of 1,200 cells.", ["it", "s", "an", "x", "ray", "of", "1", "200", "cells"]),
        ("snake_case Élan", ["snake", "case", "élan"]),
        ("नदी का पानी", ["नदी", "का", "पानी"]),  # Hindi: vowel signs are of category Mc and Mn
        ("তিস্তা নদী", ["তিস্তা", "নদী"]),  # Bengali
        ("காவிரி ஆறு", ["காவிரி", "ஆறு"]),  # Tamil
        ("שָׁלוֹם עולם", ["שָׁלוֹם", "עולם"]),  # Hebrew with points
        ("한강은 길다", ["한강은", "길다"]),  # Korean has spaces
        ("富士山は高い。", ["富", "士", "山", "は", "高", "い"]),  # Japanese
        ("长江 long 河1号", ["长", "江", "long", "河", "1", "号"]),  # Chinese, Latin letters and digits together
        ("แม่น้ำ", ["แ", "ม่", "น้", "ำ"]),  # Thai: tone marks stay with their consonant
        ("ແມ່ນ້ຳ", ["ແ", "ມ່", "ນ້", "ຳ"]),  # Lao
        ("ទន្លេ", ["ទ", "ន្", "លេ"]),  # Khmer
        ("မြစ်", ["မြ", "စ်"]),  # Burmese
        ("𠮷野", ["𠮷", "野"]),  # Han beyond the first plane
        ("ＡＢＣ１２ ｶﾞ", ["abc12", "ガ"]),  # full and half width
        ("٣ كتب و १२", ["3", "كتب", "و", "12"]),  # digits of other scripts
        ("soft\u00adware می\u200cرود", ["software", "میرود"]),  # what cannot be seen
        ("", []),
    ],
)
def test_words_of_any_script(text: str, expected: list[str]) -> None:
    assert words(text) == expected
    assert words(unicodedata.normalize("NFD", text)) == expected


def test_english_is_parted_by_white_space_alone() -> None:
    assert segments("the U.S.A. is\n1,000  miles") == ["the", "U.S.A.", "is", "1,000", "miles"]
    assert segments("在U.S.A.里") == ["在", "U.S.A.", "里"]


def test_two_characters_of_a_script_without_spaces_are_as_long_as_a_word() -> None:
    assert [length(text) for text in ("three short words", "富士山は高", "富士 Mount Fuji", "")] == [3.0, 2.5, 3.0, 0.0]


def test_invisible_characters_widths_and_digits_do_not_count() -> None:
    assert folded("Ｒｏｍｅ\u200b１９９４") == "rome 1994"
    assert folded("x²") == "x²"  # no digit: 10² is not 102
    assert folded("naïve “Café” – 1994") == "naïve “café” – 1994"


@pytest.mark.parametrize(
    ("said", "gold"),
    [
        ("京都府。", "京都府"),
        ("「京都府」", "京都府"),
        ("京都 府", "京都府"),
        ("जयपुर।", "जयपुर"),
        ("القاهرة؟", "القاهرة"),
        ("１９９４年", "1994年"),
    ],
)
def test_answers_in_other_scripts_are_equal_without_their_punctuation(said: str, gold: str) -> None:
    assert exact_match(said, [gold]) == 1.0
    assert exact_match(said, [gold + gold]) == 0.0


def test_only_the_punctuation_of_ascii_goes_from_latin_text() -> None:
    assert normalize("“Rome” – β!") == "“rome” – β"  # as the reference does


@pytest.mark.parametrize(
    ("text", "gold"),
    [
        ("琵琶湖は滋賀県にある。", "滋賀県"),
        ("黄河发源于青海省。", "青海省"),
        ("เชียงใหม่อยู่ในประเทศไทย", "ประเทศไทย"),
        ("गोदावरी नदी नासिक से निकलती है।", "नासिक"),
        ("பெரியாறு கேரளாவில் உள்ளது", "கேரளாவில்"),
    ],
)
def test_an_answer_is_found_in_a_sentence_of_its_script(text: str, gold: str) -> None:
    assert containment(text, [gold]) == 1.0
    assert token_recall(text, [gold]) == 1.0
    assert 0 < token_f1(text, [gold]) < 1
    assert 0 < subsequence_f1(text, [gold]) < 1


def test_a_word_cut_at_a_vowel_sign_is_another_word() -> None:
    assert containment("कला का काल", ["कल"]) == 0.0
    assert token_f1("कला", ["कल"]) == 0.0
    assert subsequence_f1("कला", ["कल"]) == 0.0


def test_f1_of_scripts_without_spaces_counts_characters() -> None:
    assert token_f1("滋賀県大津市", ["滋賀県"]) == pytest.approx(2 * 3 / 9)
    assert subsequence_f1("滋賀県大津市", ["滋県"]) == pytest.approx(2 * 2 / 8)
