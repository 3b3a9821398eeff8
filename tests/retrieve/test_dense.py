"""Dense retrieval finds the right documents, and is rebuilt, cached and refused as promised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag_eval.errors import DataError
from rag_eval.protocols import Allocate, Similarity, Vectors
from rag_eval.record.cache import DirectoryCache
from rag_eval.retrieve.dense import Dense
from rag_eval.retrieve.encoders.hashing import HashEmbedder
from rag_eval.retrieve.encoders.tfidf_svd import TfidfSvd
from rag_eval.retrieve.index.faiss_index import Faiss
from rag_eval.types import Cached, Document, Example, SearchResult, Turn
from tests.claims import every, none_of
from tests.retrieve.indexes import flat

ANIMALS = (
    Document("cat", "Cats purr and chase mice.", "Cat"),
    Document("whale", "Whales sing under water.", "Whale"),
    Document("bee", "Bees dance to show where flowers are.", "Bee"),
    Document("owl", "Owls hunt at night.", "Owl"),
)


def ask(question: str, *evidence: str, id: str = "q", **more: Any) -> Example:
    """A question that is answerable exactly when it has evidence."""
    return Example(id, question, answers=("yes",) if evidence else (), evidence=evidence, **more)


class TableEmbedder:
    """Looks vectors up by document id and by question, and counts how often it was asked for documents."""

    def __init__(self, table: Mapping[str, Sequence[float]], similarity: Similarity = "cosine") -> None:
        self.table = table
        self.similarity = similarity
        self.n_calls = 0

    def learn(self, documents: Sequence[Document]) -> None:
        self.learned = [document.id for document in documents]

    def identity(self) -> Mapping[str, Any]:
        return {"embedder": "table", "rows": {name: list(row) for name, row in self.table.items() if np.isfinite(row).all()}}

    def embed_documents(self, documents: Sequence[Document], allocate: Allocate) -> Vectors:
        self.n_calls += 1
        rows = [self.table[document.id] for document in documents]
        vectors = allocate((len(rows), len(rows[0])))
        vectors[:] = rows
        return vectors

    def embed_questions(self, questions: Sequence[str]) -> Vectors:
        return np.array([self.table[question] for question in questions], dtype=np.float32)


@pytest.fixture
def cache(tmp_path: Path) -> DirectoryCache:
    return DirectoryCache(str(tmp_path))


@pytest.fixture
def animals(cache: DirectoryCache) -> Dense:
    dense = Dense(HashEmbedder(65536), flat(), cache, k=2, depth=3)
    dense.add(ANIMALS)
    return dense


def from_table(table: Mapping[str, tuple[float, ...]], cache: DirectoryCache, k: int = 10) -> Dense:
    return Dense(TableEmbedder(table), flat(), cache, k=k, depth=k)


def named(*ids: str) -> list[Document]:
    return [Document(id, f"text of {id}") for id in ids]


def ids(searched: SearchResult) -> list[str]:
    return [hit.document.id for hit in searched.hits]


def test_a_question_finds_the_document_that_shares_its_words(animals: Dense) -> None:
    found = animals.search([ask("Which animals sing under water?"), ask("Who hunts at night?")])
    assert [ids(one)[0] for one in found] == ["whale", "owl"]


def test_hits_are_as_deep_as_asked_and_ranked_from_one_with_falling_scores(animals: Dense) -> None:
    (hits,) = (found.hits for found in animals.search([ask("cats chase mice at night")]))
    assert [hit.rank for hit in hits] == [1, 2, 3]
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_what_enters_the_prompt_is_always_searched(cache: DirectoryCache) -> None:
    assert Dense(HashEmbedder(8), flat("l2"), cache, k=7, depth=3).depth == 7


def test_a_k_above_the_corpus_returns_each_document_once(animals: Dense, cache: DirectoryCache) -> None:
    dense = Dense(HashEmbedder(65536), flat(), cache, k=99, depth=99)
    dense.add(ANIMALS)
    assert sorted(ids(dense.search([ask("owls")])[0])) == ["bee", "cat", "owl", "whale"]


def test_equal_scores_come_in_order_of_arrival_also_at_the_cut_off(cache: DirectoryCache) -> None:
    names = [f"d{at:02}" for at in range(60)]
    dense = from_table({"q": (1, 0), **dict.fromkeys(names, (0.6, 0.8)), "best": (1, 0)}, cache, k=4)
    dense.add(named(*names, "best"))
    assert ids(dense.search([ask("q")])[0]) == ["best", "d00", "d01", "d02"]


def test_a_follow_up_is_searched_with_the_questions_before_it(animals: Dense) -> None:
    alone, followed = ask("But why?"), ask("But why?", history=(Turn("Do whales sing?", "yes, bees dance flowers"),))
    hits = animals.search([alone, followed])
    assert hits[0].hits[0].score == 0
    assert ids(hits[1])[0] == "whale"  # by the earlier question; the earlier answer names bees and is not searched


def test_seconds_of_a_batch_are_shared_equally_and_name_both_stages(animals: Dense) -> None:
    first, second = animals.search([ask("owls"), ask("bees")])
    assert first.seconds == second.seconds
    assert set(first.seconds) == {"embed", "search"}
    assert every(value > 0 for value in first.seconds.values())


def test_documents_added_later_are_found_beside_the_first(animals: Dense) -> None:
    animals.add([Document("ant", "Ants carry leaves.")])
    assert [ids(found)[0] for found in animals.search([ask("carry leaves"), ask("bees dance")])] == ["ant", "bee"]


def test_a_known_id_replaces_its_document_beside_new_ones(animals: Dense) -> None:
    animals.add([Document("cat", "Volcanoes erupt lava."), Document("ant", "Ants carry leaves.")])
    lava, leaves, mice = animals.search([ask("lava"), ask("leaves"), ask("purr mice")])
    assert lava.hits[0].document.text == "Volcanoes erupt lava."
    assert ids(leaves)[0] == "ant"
    assert mice.hits[0].score == 0  # nothing is left of the replaced text


def test_a_removed_document_is_found_no_more_and_the_others_stay(animals: Dense) -> None:
    animals.remove(["cat", "bee"])
    assert sorted(ids(animals.search([ask("cats purr, owls hunt")])[0])) == ["owl", "whale"]
    assert ids(animals.search([ask("owls hunt at night")])[0])[0] == "owl"
    animals.add([ANIMALS[0]])
    assert ids(animals.search([ask("cats purr")])[0])[0] == "cat"


def test_removing_an_unknown_id_is_refused_and_removes_nothing(animals: Dense) -> None:
    with pytest.raises(KeyError, match="dragon"):
        animals.remove(["cat", "dragon"])
    assert ids(animals.search([ask("cats purr")])[0])[0] == "cat"


def test_an_emptied_corpus_cannot_be_searched(animals: Dense) -> None:
    animals.remove([document.id for document in ANIMALS])
    with pytest.raises(DataError, match="no documents"):
        animals.search([ask("owls")])


def test_no_questions_find_nothing(animals: Dense) -> None:
    assert animals.search([]) == []


def test_an_id_that_comes_twice_in_one_add_is_refused(cache: DirectoryCache) -> None:
    with pytest.raises(DataError, match="'cat'"):
        Dense(HashEmbedder(8), flat("l2"), cache, k=1, depth=1).add([*ANIMALS, ANIMALS[0]])


@pytest.mark.parametrize(("row", "fault"), [((0, 0), "zero"), ((float("nan"), 1), "not finite"), ((float("inf"), 1), "not finite")])
def test_bad_vectors_are_refused_by_name_and_never_cached(row: tuple[float, float], fault: str, tmp_path: Path) -> None:
    table = {"good": (1.0, 0.0), **dict.fromkeys(["bad1", "bad2", "bad3", "bad4"], row)}
    dense = from_table(table, DirectoryCache(str(tmp_path)))
    with pytest.raises(DataError, match=f"4 of 5 embeddings are {fault} .first: 'bad1', 'bad2', 'bad3'.") as caught:
        dense.add(named(*table))
    assert "bad4" not in str(caught.value)
    assert not list(tmp_path.rglob("manifest.json"))
    with pytest.raises(DataError, match="no documents"):
        dense.search([ask("good")])


def test_a_question_without_a_finite_vector_is_refused_by_name(cache: DirectoryCache) -> None:
    dense = from_table({"a": (1, 0), "what?": (float("nan"), 0)}, cache)
    dense.add(named("a"))
    with pytest.raises(DataError, match="'q17'"):
        dense.search([ask("what?", id="q17")])


def test_a_second_run_takes_the_embeddings_from_the_cache_to_the_last_bit(cache: DirectoryCache) -> None:
    table = {"a": (0.6, 0.8), "b": (0.8, 0.6), "q": (0.28, 0.96)}
    first, second = from_table(table, cache), from_table(table, cache)
    built, found = first.add(named("a", "b")), second.add(named("a", "b"))
    assert built is not None
    assert found is not None
    assert (built.is_hit, found.is_hit) == (False, True)
    assert (found.path, found.seconds) == (built.path, built.seconds)
    assert second._embedder.n_calls == 0  # type: ignore[attr-defined]
    assert first.search([ask("q")])[0].hits == second.search([ask("q")])[0].hits


def test_other_text_other_order_or_another_embedder_is_not_taken_from_the_cache(cache: DirectoryCache) -> None:
    def add(dim: int, documents: list[Document]) -> bool:
        kept = Dense(HashEmbedder(dim), flat("l2"), cache, k=1, depth=1).add(documents)
        return kept is not None and kept.is_hit

    a, b = named("a", "b")
    assert not add(8, [a, b])
    assert add(8, [a, b])
    assert none_of([add(16, [a, b]), add(8, [b, a]), add(8, [a]), add(8, [a, Document("b", b.text, "title")])])


def test_adding_nothing_adds_nothing(cache: DirectoryCache) -> None:
    assert Dense(HashEmbedder(8), flat("l2"), cache, k=1, depth=1).add([]) is None


def test_an_embedder_learns_from_the_first_documents_alone(cache: DirectoryCache) -> None:
    dense = from_table({"a": (1, 0), "b": (0, 1)}, cache)
    dense.add(named("a"))
    dense.add(named("b"))
    assert dense._embedder.learned == ["a"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("factory", ["IVF{nlist},Flat", "HNSW8,Flat"])
def test_an_index_that_takes_long_is_filled_once_and_changed_like_any_other(cache: DirectoryCache, factory: str) -> None:
    def filled() -> Dense:
        dense = Dense(HashEmbedder(4096), Faiss(factory, "inner_product", {}, "cpu"), cache, k=1, depth=2)
        dense.add(ANIMALS)
        return dense

    filled()
    indexes = sorted(cache.root.glob("indexes/*/manifest.json"))
    dense = filled()
    assert sorted(cache.root.glob("indexes/*/manifest.json")) == indexes
    assert len(indexes) == 1
    dense.remove(["bee"])
    dense.add([Document("owl", "Volcanoes erupt lava.", "Volcano"), Document("ant", "Ants carry leaves.", "Ant")])
    found = [ids(one)[0] for one in dense.search([ask("volcanoes lava"), ask("ants carry leaves"), ask("whales sing")])]
    assert found == ["owl", "ant", "whale"]
    assert "bee" not in ids(dense.search([ask("bees dance flowers")])[0])
    assert filled().search([ask("owls hunt at night")])[0].hits[0].document.id == "owl"  # the changes stay out of the cache


def test_an_approximate_index_can_be_compared_with_every_vector(cache: DirectoryCache) -> None:
    dense = Dense(HashEmbedder(4096), Faiss("HNSW8,Flat", "inner_product", {}, "cpu"), cache, k=1, depth=2)
    dense.add(ANIMALS)
    dense.remove(["cat"])
    exactly = dense.exactly([ask("whales sing"), ask("bees dance")])
    assert exactly is not None
    assert [ids(one)[0] for one in exactly] == ["whale", "bee"]


def test_an_exact_index_has_nothing_to_be_compared_with(animals: Dense) -> None:
    assert animals.exactly([ask("whales sing")]) is None


def test_an_index_that_was_emptied_is_not_kept_as_that_of_other_documents(cache: DirectoryCache) -> None:
    def made() -> Dense:
        return Dense(HashEmbedder(4096), Faiss("HNSW8,Flat", "inner_product", {}, "cpu"), cache, k=1, depth=2)

    first, second = made(), made()
    first.add(ANIMALS[:2])
    first.remove([document.id for document in ANIMALS[:2]])
    first.add(ANIMALS[1:])
    second.add(ANIMALS[1:])
    asked = [ask("owls hunt at night"), ask("whales sing")]
    assert [ids(one)[0] for one in second.search(asked)] == [ids(one)[0] for one in first.search(asked)] == ["owl", "whale"]


def test_what_building_took_counts_what_was_learned_and_the_index(cache: DirectoryCache) -> None:
    def built(index: str) -> Cached:
        dense = Dense(TfidfSvd(2, cache), Faiss(index, "inner_product", {}, "cpu"), cache, k=1, depth=2)
        kept = dense.add(ANIMALS)
        assert kept is not None
        return kept

    exact, graph = built("Flat"), built("HNSW8,Flat")
    kinds = [{path.parent.name for path in (one.path, *one.also)} for one in (exact, graph)]
    assert kinds == [{"tfidf_svd", "embeddings"}, {"tfidf_svd", "embeddings", "indexes"}]
    assert graph.n_bytes > exact.n_bytes
    assert graph.is_hit
