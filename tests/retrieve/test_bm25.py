"""BM25 scores as its formula says, keeps up with changes of the corpus, and finds what is known to be found in real data."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import pytest

from rag_eval.data.sources.hotpot import hotpot
from rag_eval.data.sources.scifact import scifact
from rag_eval.data.sources.squad import squad
from rag_eval.errors import DataError
from rag_eval.record.cache import DirectoryCache
from rag_eval.retrieve.analyzer import Analyzer
from rag_eval.retrieve.bm25 import BM25
from rag_eval.retrieve.oracle import OracleDistract
from rag_eval.score.retrieval import hit_at_k, recall_at_k, reciprocal_rank
from rag_eval.types import Document, Example, QADataset, SearchResult, Turn

Method = Literal["robertson", "lucene", "atire"]
PLAIN = Analyzer("none", "none")

ANIMALS = (
    Document("cat", "Cats purr and chase mice; mice flee cats.", "Cat"),
    Document("whale", "Whales sing under water.", "Whale"),
    Document("bee", "Bees dance to show where flowers are, and cats watch.", "Bee"),
    Document("owl", "Owls hunt mice at night.", "Owl"),
)


def ask(question: str, *evidence: str, **more: Any) -> Example:
    """A question that is answerable exactly when it has evidence."""
    return Example("q", question, answers=("yes",) if evidence else (), evidence=evidence, **more)


@pytest.fixture
def cache(tmp_path: Path) -> DirectoryCache:
    return DirectoryCache(str(tmp_path))


def made(
    cache: DirectoryCache, method: Method = "lucene", k1: float = 0.9, b: float = 0.4, depth: int = 10, analyzer: Analyzer = PLAIN
) -> BM25:
    return BM25(analyzer, cache, k1, b, method, k=1, depth=depth)


@pytest.fixture
def animals(cache: DirectoryCache) -> BM25:
    bm25 = made(cache, analyzer=Analyzer("english", "none"))
    bm25.add(ANIMALS)
    return bm25


def ids(searched: SearchResult) -> list[str]:
    return [hit.document.id for hit in searched.hits]


def found(bm25: BM25, question: str) -> list[tuple[str, str, float]]:
    return [(hit.document.id, hit.document.text, hit.score) for hit in bm25.search([ask(question)])[0].hits]


@pytest.mark.parametrize(("method", "k1", "b"), [("lucene", 0.9, 0.4), ("lucene", 1.5, 0.75), ("robertson", 1.2, 0.0), ("atire", 2.0, 1.0)])
def test_scores_are_those_of_the_formula(method: Method, k1: float, b: float, cache: DirectoryCache) -> None:
    texts = {one.id: PLAIN.words(f"{one.title} {one.text}") for one in ANIMALS}
    mean_length = fmean(len(words) for words in texts.values())

    def idf(word: str) -> float:
        n, df = len(texts), sum(word in words for words in texts.values())
        odds = (n - df + 0.5) / (df + 0.5)
        return {"lucene": math.log(1 + odds), "robertson": math.log(max(odds, 1)), "atire": math.log(n / df)}[method]

    def score(words: list[str], word: str) -> float:
        tf, norm = words.count(word), k1 * (1 - b + b * len(words) / mean_length)
        return idf(word) * tf / (tf + norm) * (k1 + 1 if method == "atire" else 1)

    bm25 = made(cache, method, k1, b)
    bm25.add(ANIMALS)
    expected = {id: sum(score(words, word) for word in ("whales", "mice", "night")) for id, words in texts.items()}
    got = {id: value for id, _, value in found(bm25, "Whales, mice, night")}
    assert got == pytest.approx({id: value for id, value in expected.items() if value > 0}, rel=1e-5)
    assert len(got) >= 2


def test_a_title_is_searched_with_its_text(animals: BM25) -> None:
    assert ids(animals.search([ask("Tell about the bee.")])[0]) == ["bee"]


def test_a_question_without_a_known_word_finds_nothing(animals: BM25) -> None:
    assert [one.hits for one in animals.search([ask("Dragons?"), ask("What is it about?"), ask("?")])] == [(), (), ()]
    assert recall_at_k([], ["cat"], 5) == 0


def test_equal_scores_come_in_order_of_arrival_also_at_the_cut_off(cache: DirectoryCache) -> None:
    bm25 = made(cache, depth=4)
    bm25.add([*(Document(f"d{at:02}", "grey stone") for at in range(60)), Document("best", "grey owl")])
    assert ids(bm25.search([ask("grey owl")])[0]) == ["best", "d00", "d01", "d02"]


def test_a_follow_up_is_searched_with_the_questions_before_it(animals: BM25) -> None:
    alone, followed = animals.search([ask("And why?"), ask("And why?", history=(Turn("Do whales sing?", "Bees dance."),))])
    assert (ids(alone), ids(followed)) == ([], ["whale"])


def changed(bm25: BM25) -> BM25:
    bm25.add([Document("cat", "Volcanoes erupt lava at night."), Document("ant", "Ants carry leaves at night.")])
    bm25.remove(["owl"])
    bm25.add([ANIMALS[3]])
    return bm25


def rest(tmp_path: Path) -> BM25:
    """What is left of the changed corpus without the ant, from the start."""
    bm25 = made(DirectoryCache(str(tmp_path / "rest")), analyzer=Analyzer("english", "none"))
    bm25.add([Document("cat", "Volcanoes erupt lava at night."), *ANIMALS[1:]])
    return bm25


def test_a_changed_corpus_is_searched_as_if_it_had_been_so_from_the_start(animals: BM25, tmp_path: Path) -> None:
    fresh = made(DirectoryCache(str(tmp_path / "other")), analyzer=Analyzer("english", "none"))
    fresh.add(
        [Document("cat", "Volcanoes erupt lava at night."), *ANIMALS[1:3], Document("ant", "Ants carry leaves at night."), ANIMALS[3]]
    )
    for question in ("lava at night", "purr mice", "leaves under water where flowers are"):
        assert found(changed(animals), question) == found(fresh, question) != []
    assert found(animals, "purr") == []
    animals.remove(["ant"])
    fresh.remove(["ant"])
    assert found(animals, "lava at night") == found(fresh, "lava at night") == found(rest(tmp_path), "lava at night")


def test_a_second_run_takes_the_index_from_the_cache_and_can_change_it(animals: BM25, cache: DirectoryCache) -> None:
    again = made(cache, analyzer=Analyzer("english", "none"))
    kept = again.add(ANIMALS)
    assert kept is not None
    assert kept.is_hit
    assert kept.n_bytes > 0
    assert found(again, "mice cats night") == found(animals, "mice cats night")
    assert found(changed(again), "mice cats night") == found(changed(animals), "mice cats night")


def test_other_settings_text_or_words_are_not_taken_from_the_cache(cache: DirectoryCache) -> None:
    made(cache).add(ANIMALS)
    others = [made(cache, k1=1.0), made(cache, b=0.5), made(cache, "atire"), made(cache, analyzer=Analyzer("none", "english"))]
    kept = [*(other.add(ANIMALS) for other in others), made(cache).add(ANIMALS[1:]), made(cache, depth=3).add(ANIMALS)]
    assert [one is not None and one.is_hit for one in kept] == [False] * 5 + [True]


def test_what_decides_the_hits_is_named_and_the_search_is_exact(cache: DirectoryCache, animals: BM25) -> None:
    assert made(cache).identity() == made(cache).identity() != made(cache, depth=11).identity()
    assert made(cache).identity() != made(cache, analyzer=Analyzer("english", "none")).identity()
    assert animals.exactly([ask("owl")]) is None


def test_a_removed_or_emptied_corpus_is_refused_or_searched_as_it_is(animals: BM25) -> None:
    with pytest.raises(KeyError, match="dragon"):
        animals.remove(["cat", "dragon"])
    assert ids(animals.search([ask("purr")])[0]) == ["cat"]
    animals.remove([one.id for one in ANIMALS])
    with pytest.raises(DataError, match="no documents"):
        animals.search([ask("purr")])
    animals.add(ANIMALS[:2])
    assert ids(animals.search([ask("purr")])[0]) == ["cat"]


def test_an_id_that_comes_twice_in_one_add_is_refused(cache: DirectoryCache) -> None:
    with pytest.raises(DataError, match="'cat'"):
        made(cache).add([*ANIMALS, ANIMALS[0]])


def test_a_corpus_of_signs_finds_nothing_until_words_come(cache: DirectoryCache) -> None:
    bm25 = made(cache)
    bm25.add([Document("signs", "?!"), Document("more", "...")])
    assert ids(bm25.search([ask("owls?!")])[0]) == []
    bm25.add([Document("owl", "Owls.")])
    assert ids(bm25.search([ask("owls?!")])[0]) == ["owl"]


def test_words_are_lower_cased_compatible_characters_and_stems_are_one() -> None:
    assert PLAIN.words("The ﬁrst OWLS hunt; owls, 2²!") == ["the", "first", "owls", "hunt", "owls", "22"]
    assert Analyzer("english", "none").words("What is the owl's first hunt?") == ["owl", "first", "hunt"]
    assert Analyzer("english", "english").words("hunting, hunted hunts") == ["hunt"] * 3


def test_gold_stands_among_the_distractors_that_bm25_ranks_best(animals: BM25, cache: DirectoryCache) -> None:
    mixed = OracleDistract(made(cache, depth=4), k=2, seed=0)
    mixed.add(ANIMALS)
    assert sorted(ids(mixed.search([ask("Who hunts mice?", "owl")])[0])) == ["cat", "owl"]


def real(load: Callable[[Path], QADataset]) -> QADataset:
    if "RAG_EVAL_DATA" not in os.environ:
        pytest.skip("RAG_EVAL_DATA is not set: no folder with real data")
    return load(Path(os.environ["RAG_EVAL_DATA"]))


@pytest.mark.real
@pytest.mark.parametrize(
    ("load", "hit_1", "hit_10", "mrr_10"),
    [
        (lambda folder: squad(str(folder / "squad2_halfdev" / "dev-v2.0.json"), 0.0, 0), 0.806, 0.961, 0.866),
        (lambda folder: squad(str(folder / "xquad" / "xquad.en.json"), 0.0, 0), 0.934, 0.991, 0.958),
        (lambda folder: hotpot(str(folder / "hotpotqa_100" / "hotpotqa_train.json"), 0.0, 0), 0.810, 0.990, 0.876),
        (lambda folder: scifact(str(folder / "scifact_csv" / "scifact.zip"), "validation"), 0.543, 0.803, 0.632),
    ],
    ids=["squad2", "xquad", "hotpot", "scifact"],
)
def test_real_questions_find_their_evidence_as_often_as_is_known(
    load: Callable[[Path], QADataset], hit_1: float, hit_10: float, mrr_10: float, cache: DirectoryCache
) -> None:
    dataset = real(load)
    bm25 = made(cache, analyzer=Analyzer("english", "none"))
    bm25.add(dataset.documents)
    asked = [example for example in dataset.test if example.evidence]
    pairs = [(ids(searched), example.evidence) for searched, example in zip(bm25.search(asked), asked, strict=True)]
    assert len(asked) >= 100
    assert fmean(hit_at_k(*pair, 1) for pair in pairs) == pytest.approx(hit_1, abs=0.03)
    assert fmean(hit_at_k(*pair, 10) for pair in pairs) == pytest.approx(hit_10, abs=0.03)
    assert fmean(reciprocal_rank(*pair, 10) for pair in pairs) == pytest.approx(mrr_10, abs=0.03)
