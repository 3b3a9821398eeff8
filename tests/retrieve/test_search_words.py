"""Words are whole in every script: marks stay with their letters, and sentences without spaces can be searched."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from rag_eval.protocols import Searching
from rag_eval.record.cache import DirectoryCache
from rag_eval.retrieve.analyzer import Analyzer
from rag_eval.retrieve.bm25 import BM25
from rag_eval.retrieve.dense import Dense
from rag_eval.retrieve.encoders.hashing import HashEmbedder
from rag_eval.retrieve.encoders.tfidf_svd import TfidfSvd
from rag_eval.retrieve.words import compared, words
from rag_eval.types import Document, Example
from tests.retrieve.indexes import flat

PLAIN = Analyzer("none", "none")
# Questions and the texts that answer them, in order; no text shares a whole sentence part with its question.
SCRIPTS = {
    "japanese": {
        "白馬岳はどの県にありますか": "長野県の北部には白馬岳がそびえている。",
        "有田焼はどこで作られますか": "佐賀県で作られる磁器を有田焼という。",
        "銀閣は誰が建てましたか": "足利義政が建てた銀閣は東山にある。",
    },
    "chinese": {
        "青海湖的面积是多少": "中国最大的咸水湖是青海湖,面积四千多平方公里。",
        "赵州桥是谁设计的": "隋代工匠李春设计了赵州桥。",
        "都江堰在哪里": "成都平原西部有都江堰。",
    },
    "thai": {
        "ดอยอินทนนท์อยู่จังหวัดใด": "ยอดเขาสูงที่สุดคือดอยอินทนนท์ในเชียงใหม่",
        "แม่น้ำมูลไหลลงที่ใด": "ชาวอีสานใช้แม่น้ำมูลซึ่งไหลลงแม่น้ำโขง",
        "เกาะสมุยขึ้นชื่อเรื่องอะไร": "มะพร้าวมาจากเกาะสมุย",
    },
    "khmer": {
        "ប្រាសាទបាយ័ននៅឯណា": "ក្នុងអង្គរធំមានប្រាសាទបាយ័ន",
        "បឹងទន្លេសាបធំប៉ុនណា": "ត្រីច្រើនរស់ក្នុងបឹងទន្លេសាប",
        "ភ្នំគូលែនខ្ពស់ប៉ុន្មាន": "ទឹកហូរពីភ្នំគូលែន",
    },
    "korean": {
        "설악산은 어느 도에 있나": "강원도의 설악산이 높다.",
        "첨성대를 세운 왕은": "선덕여왕이 첨성대에서 별을 보게 했다.",
        "한라산의 높이는": "제주에는 한라산도 있다.",
    },
    "hindi": {
        "चिनाब नदी कहाँ बहती है?": "जम्मू में चिनाब नदी बहती है।",
        "कोणार्क मंदिर कहाँ है?": "ओडिशा में कोणार्क मंदिर है।",
        "पुष्कर मेला कब लगता है?": "कार्तिक में पुष्कर मेला लगता है।",
    },
}


def bm25(cache: DirectoryCache) -> Searching:
    return BM25(PLAIN, cache, 0.9, 0.4, "lucene", k=1, depth=3)


def tfidf(cache: DirectoryCache) -> Searching:
    return Dense(TfidfSvd(8, cache), flat(), cache, k=1, depth=3)


def hashed(cache: DirectoryCache) -> Searching:
    return Dense(HashEmbedder(65536), flat(), cache, k=1, depth=3)


@pytest.mark.parametrize("make", [bm25, tfidf, hashed])
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_question_finds_its_text_in_any_script(make: Callable[[DirectoryCache], Searching], script: str, tmp_path: Path) -> None:
    retriever = make(DirectoryCache(str(tmp_path)))
    retriever.add([Document(str(at), text) for at, text in enumerate(SCRIPTS[script].values())])
    found = retriever.search([Example(str(at), question, ()) for at, question in enumerate(SCRIPTS[script])])
    assert [one.hits[0].document.id for one in found] == ["0", "1", "2"]


def test_vowel_signs_and_accents_stay_with_their_letters() -> None:
    assert words("किला, नदी।") == ["किला", "नदी"]
    assert words("கோயில் இங்கே") == ["கோயில்", "இங்கே"]
    assert words("J\u030calg") == ["j\u030calg"]  # a letter that has no composed form


def test_a_word_is_the_same_composed_or_not_and_without_optional_points() -> None:
    assert words(unicodedata.normalize("NFD", "Café")) == words("café") == ["café"]
    assert words("كِتَابٌ") == words("كتاب") == ["كتاب"]
    assert words("שָׁלוֹם") == words("שלום") == ["שלום"]
    assert words("می\u200cخواهم") == words("میخواهم")  # with and without the joiner
    assert words("ｶﾞﾗｽ ＡＢＣ") == ["ガラス", "abc"]


def test_sentences_without_spaces_are_compared_by_pairs_and_han_characters() -> None:
    assert compared("お茶を2024年に") == ["お茶", "茶を", "茶", "2024", "年に", "年"]
    assert compared("茶") == ["茶"]
    assert compared("ก็ดี ไป") == ["ก็ดี", "ไป"]
    assert compared("가다 나") == ["가다", "나"]


def test_pairs_are_no_words_of_a_question_that_a_model_embeds() -> None:
    assert PLAIN.keywords("茶の歴史 tea") == ["茶の歴史", "tea"]
    assert PLAIN.words("茶の歴史 tea") == ["茶の", "の歴", "歴史", "茶", "歴", "史", "tea"]


def test_english_words_are_runs_of_letters_digits_and_underscores() -> None:
    assert Analyzer("english", "none").words("The naïve don't use x_1: U.S., e-mail!") == ["naïve", "don", "use", "x_1", "u", "e", "mail"]
