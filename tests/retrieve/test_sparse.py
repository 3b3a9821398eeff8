"""Learned sparse retrieval: inner products of word weights, kept up with changes, cached, and loaded without foreign code."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array
from sentence_transformers import SparseEncoder

from rag_eval.errors import DataError
from rag_eval.record.cache import DirectoryCache
from rag_eval.retrieve.encoders.splade import SparseTextEncoder
from rag_eval.retrieve.sparse import SparseRetriever
from rag_eval.types import Document, Example, Turn
from tests.retrieve.sparse_models import write_sparse_encoder
from tests.retrieve.test_embedders import edited

WORDS = ["owls", "whales", "bees", "cats", "sing", "hunt", "dance", "purr", "night", "water", "flowers", "mice", "lava", "ants", "leaves"]
ANIMALS = (
    Document("cat", "cats purr hunt mice", "cats"),
    Document("whale", "whales sing water", "whales"),
    Document("bee", "bees dance flowers", "bees"),
    Document("owl", "owls hunt night", "owls"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sparse_encoder(tmp_path_factory.mktemp("sparse"), WORDS, max_tokens=8)


def encoder(folder: Path, batch_size: int = 2, sha256: str | None = None) -> SparseTextEncoder:
    return SparseTextEncoder(str(folder), sha256, batch_size, "cpu")


def made(folder: Path, root: Path, depth: int = 4) -> SparseRetriever:
    return SparseRetriever(encoder(folder), DirectoryCache(str(root)), k=1, depth=depth)


@pytest.fixture
def animals(folder: Path, tmp_path: Path) -> SparseRetriever:
    retriever = made(folder, tmp_path)
    retriever.add(ANIMALS)
    return retriever


def found(retriever: SparseRetriever, question: str, **more: Any) -> dict[str, float]:
    (searched,) = retriever.search([Example("q", question, (), **more)])
    assert [hit.rank for hit in searched.hits] == list(range(1, len(searched.hits) + 1))
    return {hit.document.id: hit.score for hit in searched.hits}


def test_scores_are_the_inner_products_of_what_the_model_gives(animals: SparseRetriever, folder: Path) -> None:
    model = SparseEncoder(str(folder), device="cpu")
    documents = model.encode_document(
        [f"{one.title}\n{one.text}" if one.title != one.text[: len(one.title)] else one.text for one in ANIMALS]
    )
    products = (model.encode_query(["who hunt mice night"]) @ documents.to_dense().T)[0].tolist()
    expected = {one.id: score for one, score in zip(ANIMALS, products, strict=True) if score > 0}
    got = found(animals, "who hunt mice night")
    assert got == pytest.approx(expected, rel=1e-5)
    assert set(got) == {"cat", "owl"}  # whales and bees share no word
    assert list(got.values()) == sorted(got.values(), reverse=True)


def test_equal_products_come_in_order_of_arrival_also_at_the_cut_off(folder: Path, tmp_path: Path) -> None:
    retriever = SparseRetriever(encoder(folder, batch_size=1), DirectoryCache(str(tmp_path)), k=1, depth=3)  # padding changes last bits
    retriever.add([*(Document(f"d{at:02}", "owls") for at in range(30)), Document("best", "owls night")])
    assert list(found(retriever, "owls night")) == ["best", "d00", "d01"]


def test_a_question_of_unknown_words_finds_nothing_and_a_follow_up_what_it_is_about(animals: SparseRetriever) -> None:
    assert found(animals, "dragons") == {}
    assert list(found(animals, "dragons", history=(Turn("whales sing", "bees"),))) == ["whale"]


def test_a_changed_corpus_is_searched_as_if_it_had_been_so_from_the_start(animals: SparseRetriever, folder: Path, tmp_path: Path) -> None:
    animals.add([Document("cat", "lava night"), Document("ant", "ants leaves")])
    animals.remove(["owl"])
    animals.add([ANIMALS[3]])
    fresh = made(folder, tmp_path / "other")
    fresh.add([Document("cat", "lava night"), *ANIMALS[1:3], Document("ant", "ants leaves"), ANIMALS[3]])
    for question in ("lava night", "hunt water", "ants flowers leaves", "purr"):
        now, wanted = found(animals, question), found(fresh, question)
        assert list(now) == list(wanted)
        assert now == pytest.approx(wanted, rel=1e-5)  # texts embedded beside others differ in last bits
    assert found(animals, "purr") == {}
    with pytest.raises(KeyError, match="dragon"):
        animals.remove(["ant", "dragon"])
    assert list(found(animals, "ants")) == ["ant"]


def test_a_second_run_takes_the_weights_from_the_cache(animals: SparseRetriever, folder: Path, tmp_path: Path) -> None:
    again = made(folder, tmp_path)
    kept = again.add(ANIMALS)
    assert kept is not None
    assert kept.is_hit
    assert [file.suffix for file in kept.path.iterdir() if file.name != "manifest.json"] == [".npz"]
    assert found(again, "owls hunt mice") == found(animals, "owls hunt mice")
    assert again.identity() == animals.identity() != made(folder, tmp_path, depth=9).identity()
    assert animals.exactly([]) is None


def test_each_stage_is_timed_and_no_documents_are_refused(animals: SparseRetriever, folder: Path, tmp_path: Path) -> None:
    (searched,) = animals.search([Example("q", "owls", ())])
    assert set(searched.seconds) == {"embed", "search"}
    assert animals.search([]) == []
    animals.remove([one.id for one in ANIMALS])
    with pytest.raises(DataError, match="no documents"):
        animals.search([Example("q", "owls", ())])


class Broken(SparseTextEncoder):
    """Gives a weight that is not a number to the last document."""

    def encode_documents(self, documents: Any) -> csr_array:
        return csr_array(np.array([*[[1.0, 0.0]] * (len(documents) - 1), [np.nan, 1.0]], dtype=np.float32))


def test_weights_that_are_not_finite_are_refused_by_name_and_never_cached(folder: Path, tmp_path: Path) -> None:
    retriever = SparseRetriever(Broken(str(folder), None, 2, "cpu"), DirectoryCache(str(tmp_path)), k=1, depth=1)
    with pytest.raises(DataError, match=r"1 of 4 texts have weights that are not finite \(first: 'owl'\)"):
        retriever.add(ANIMALS)
    assert not list(tmp_path.rglob("manifest.json"))


def test_what_is_cut_or_never_found_is_said(folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        made(folder, tmp_path).add([Document("long", "owls " * 9), Document("strange", "dragons")])
    assert "1 of 2 documents are longer than the 8 tokens the encoder reads" in caplog.text
    assert "1 of 2 documents have no weight at all" in caplog.text


def test_a_sparse_model_that_states_more_tokens_than_it_has_positions_reads_as_many_as_it_has(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_sparse_encoder(tmp_path / "model", WORDS, max_tokens=8)
    edited("sentence_bert_config.json", max_seq_length=512)(folder)
    edited("tokenizer_config.json", model_max_length=512)(folder)
    with caplog.at_level(logging.WARNING):
        (row,) = encoder(folder).encode_documents([Document("long", "owls " * 40)]).toarray()
    assert row.any()
    assert "1 of 1 documents are longer than the 8 tokens the encoder reads" in caplog.text


def test_a_folder_with_foreign_code_other_weights_or_none_is_refused(tmp_path: Path) -> None:
    folder = write_sparse_encoder(tmp_path, ["owls"])
    with pytest.raises(DataError, match="expected sha256 0000"):
        encoder(folder, sha256="0000").encode_questions(["owls"])
    modules = folder / "modules.json"
    modules.write_text(modules.read_text().replace("sentence_transformers.sparse_encoder", "elsewhere"))
    with pytest.raises(DataError, match="expected module types under sentence_transformers"):
        encoder(folder).encode_questions(["owls"])
    with pytest.raises(DataError, match="expected a folder"):
        encoder(tmp_path / "nowhere")


def test_a_special_token_that_a_text_spells_is_text(folder: Path) -> None:
    spelling, apart = encoder(folder).encode_questions(["owls [SEP] hunt", "owls [ sep ] hunt"]).toarray()
    assert np.array_equal(spelling, apart)
    (written,) = encoder(folder).encode_documents([Document("d", "owls [SEP] hunt")]).toarray()
    assert np.array_equal(written, apart)
