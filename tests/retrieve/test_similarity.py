"""Vectors are ranked by the similarity that their model declares, whatever searches them, or are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from rag_eval.errors import ConfigError, DataError
from rag_eval.protocols import Index, Similarity
from rag_eval.record.cache import DirectoryCache
from rag_eval.retrieve.dense import Dense
from rag_eval.retrieve.encoders.sentence_transformer import SentenceTransformerEmbedder
from rag_eval.retrieve.encoders.splade import SparseTextEncoder
from rag_eval.retrieve.encoders.vectors import in_memory
from rag_eval.retrieve.index.annoy_index import Annoy
from rag_eval.retrieve.index.exact import Exact
from rag_eval.retrieve.index.faiss_index import Faiss
from rag_eval.retrieve.index.pgvector_index import Postgres
from rag_eval.retrieve.rerankers.mmr import MaximalMarginalRelevance
from rag_eval.retrieve.similarity import relevance
from rag_eval.types import Document, Example
from tests.retrieve.encoders import write_sentence_transformer
from tests.retrieve.indexes import flat
from tests.retrieve.sparse_models import write_sparse_encoder
from tests.retrieve.test_dense import TableEmbedder
from tests.retrieve.test_embedders import SPELLED, edited

INDEXES: dict[str, Callable[[], Index]] = {
    "flat": flat,
    "torch": lambda: Exact("cpu", 7),
    "ivf": lambda: Faiss("IVF1,Flat", "inner_product", {}, "cpu"),
    "hnsw": lambda: Faiss("HNSW32,Flat", "inner_product", {"efSearch": 64}, "cpu"),
    "postgres": lambda: Postgres("", "exact"),
    "postgres_hnsw": lambda: Postgres("", "hnsw"),
    "l2": lambda: flat("l2"),
    "l2_hnsw": lambda: Faiss("HNSW32,Flat", "l2", {"efSearch": 64}, "cpu"),
    "annoy": lambda: Annoy(trees=50, search_nodes=5_000, seed=0),
}
RANKED: dict[Similarity, set[str]] = {
    "cosine": set(INDEXES),
    "dot": {"flat", "torch", "ivf", "hnsw", "postgres", "postgres_hnsw"},
    "euclidean": {"l2", "l2_hnsw"},
}
QUESTIONS = ["a b c", "q", "x y z a b c d e f g h i j"]
# The nearest to the question by angle, by inner product and by distance.
ARROWS = {"question": (2.0, 0.0), "angle": (0.5, 0.0), "product": (9.0, 5.0), "distance": (2.0, 0.3)}


def made(folder: Path) -> SentenceTransformerEmbedder:
    return SentenceTransformerEmbedder(str(folder), None, 8, 64, dtype="float32", device="cpu")


def ids(dense: Dense, *questions: str, exactly: bool = False) -> list[list[str]]:
    asked = [Example(question, question, ()) for question in questions]
    found = dense.exactly(asked) if exactly else dense.search(asked)
    assert found is not None
    return [[hit.document.id for hit in one.hits] for one in found]


def arrows(similarity: Similarity, index: Index, cache: DirectoryCache) -> Dense:
    dense = Dense(TableEmbedder(ARROWS, similarity), index, cache, k=3, depth=3)
    dense.add([Document(id, id) for id in ARROWS if id != "question"])
    return dense


@pytest.fixture
def cache(tmp_path: Path) -> DirectoryCache:
    return DirectoryCache(str(tmp_path / "cache"))


@pytest.mark.parametrize("declared", [None, "cosine", "dot", "euclidean"])
def test_documents_come_in_the_order_of_the_model_itself(declared: str | None, tmp_path: Path, cache: DirectoryCache) -> None:
    folder = write_sentence_transformer(tmp_path / "model", {}, similarity=declared)
    dense = Dense(made(folder), flat("l2" if declared == "euclidean" else "inner_product"), cache, k=23, depth=23)
    dense.add(SPELLED)
    theirs = SentenceTransformer(str(folder), device="cpu")
    texts = [document.text for document in SPELLED]
    order = np.argsort(-theirs.similarity(theirs.encode(QUESTIONS), theirs.encode(texts)).numpy(), axis=1)
    assert ids(dense, *QUESTIONS) == [[SPELLED[row].id for row in one] for one in order]


def test_only_rows_that_are_compared_by_cosine_are_made_unit(tmp_path: Path) -> None:
    folders = {one: write_sentence_transformer(tmp_path / one, {}, similarity=one) for one in ("cosine", "dot", "euclidean")}
    lengths = {one: np.linalg.norm(made(folder).embed_documents(SPELLED, in_memory), axis=1) for one, folder in folders.items()}
    np.testing.assert_allclose(lengths["cosine"], 1, atol=1e-6)
    assert lengths["dot"].std() > 0.01
    np.testing.assert_array_equal(lengths["dot"], lengths["euclidean"])
    said = [(made(folder).identity()["similarity"], made(folder).identity()["normalised"]) for folder in folders.values()]
    assert said == [("cosine", True), ("dot", False), ("euclidean", False)]


@pytest.mark.parametrize("name", ["manhattan", "maxsim"])
def test_a_similarity_that_no_index_ranks_by_is_refused_by_name(name: str, tmp_path: Path) -> None:
    folder = write_sentence_transformer(tmp_path, {}, similarity=name)
    with pytest.raises(DataError, match=f"expected similarity_fn_name to be one of cosine, dot, euclidean, found '{name}'"):
        _ = made(folder).similarity


@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
@pytest.mark.parametrize("name", INDEXES)
def test_every_index_ranks_by_the_declared_similarity_or_refuses_it(
    name: str, similarity: Similarity, cache: DirectoryCache, request: pytest.FixtureRequest
) -> None:
    if "postgres" in name:
        request.getfixturevalue("postgres")
    if name not in RANKED[similarity]:
        other = {"dot": "flat", "euclidean": "l2"}[similarity]
        with pytest.raises(ConfigError, match=rf"made for {similarity} similarity, but .*Use retriever/index={other}\."):
            arrows(similarity, INDEXES[name](), cache)
        return
    dense = arrows(similarity, INDEXES[name](), cache)
    order = {"dot": ["product", "distance", "angle"], "euclidean": ["distance", "angle", "product"]}[similarity]
    assert ids(dense, "question") == [order]
    assert dense.exactly([]) is None or ids(dense, "question", exactly=True) == [order]


@pytest.mark.parametrize(
    ("similarity", "order"),
    [("dot", ["product", "distance", "angle"]), ("euclidean", ["distance", "angle", "product"])],
)
def test_relevance_alone_is_the_declared_similarity_in_marginal_relevance_too(similarity: Similarity, order: list[str]) -> None:
    documents = [Document(id, id) for id in ARROWS if id != "question"]
    (scores,) = MaximalMarginalRelevance(TableEmbedder(ARROWS, similarity), 1).score(["question"], [documents])
    assert [documents[row].id for row in np.argsort(-scores)] == order
    assert abs(scores).max() <= 1


def test_a_copy_resembles_wholly_however_long_its_vector(cache: DirectoryCache) -> None:
    table = {"question": (1.0, 0.0), "first": (4.0, 1.0), "copy": (4.0, 1.0), "other": (3.0, -3.0)}
    documents = [Document(id, id) for id in table if id != "question"]
    (scores,) = MaximalMarginalRelevance(TableEmbedder(table, "dot"), 0.5).score(["question"], [documents])
    assert [documents[row].id for row in np.argsort(-scores, kind="stable")] == ["first", "other", "copy"]


@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
def test_relevance_of_unit_vectors_is_their_cosine_by_any_similarity(similarity: Similarity) -> None:
    rows = np.array([[1, 0], [0.6, 0.8], [-1, 0]], dtype=np.float32)
    np.testing.assert_allclose(relevance(rows, rows[0], similarity), [1, 0.6, -1], atol=1e-6)


def test_sparse_weights_are_compared_by_what_their_model_declares(tmp_path: Path) -> None:
    folder = write_sparse_encoder(tmp_path, ["ferry", "quay"])
    documents = [Document("short", "ferry"), Document("long", "ferry quay")]

    def lengths() -> list[float]:
        rows = SparseTextEncoder(str(folder), None, 8, "cpu").encode_documents(documents).toarray()
        return np.linalg.norm(rows, axis=1).tolist()

    short, long = lengths()
    assert long > short * 1.2
    edited("config_sentence_transformers.json", similarity_fn_name="cosine")(folder)
    assert lengths() == pytest.approx([1, 1])
    edited("config_sentence_transformers.json", similarity_fn_name="euclidean")(folder)
    with pytest.raises(DataError, match="expected similarity dot or cosine, found 'euclidean'"):
        lengths()
