"""Hashed words and the real model: unit rows, named faults, nothing cut in silence."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from rag_eval.errors import DataError, EnvironmentFault
from rag_eval.retrieve.embed import SentenceTransformerEmbedder
from rag_eval.retrieve.hashed import HashEmbedder
from rag_eval.retrieve.offline import PACKAGE, minilm_path
from rag_eval.retrieve.searchable import document_text
from rag_eval.types import Document

ANIMALS = (
    Document("cat", "Cats purr and chase mice.", "Cat"),
    Document("whale", "Whales sing under water.", "Whale"),
    Document("bee", "Bees dance to show where flowers are.", "Bee"),
    Document("owl", "Owls hunt at night.", "Owl"),
)

SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
COMMIT = "0" * 40
offline = pytest.mark.skipif(find_spec(PACKAGE) is None, reason="needs pip install 'rag_eval[offline]'")


@pytest.fixture(scope="module")
def minilm() -> SentenceTransformerEmbedder:
    return SentenceTransformerEmbedder(minilm_path(), SHA256, batch_size=2, device="cpu")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, with the network off."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def test_the_title_is_embedded_unless_the_text_begins_with_it() -> None:
    assert document_text(Document("a", "They purr.", "Cats")) == "Cats\nThey purr."
    assert document_text(Document("a", "Cats purr.", "Cats")) == "Cats purr."
    assert document_text(Document("a", "They purr.")) == "They purr."


def test_hashed_words_are_unit_rows_that_ignore_case_and_order() -> None:
    hashed = HashEmbedder(64)
    first, second, other = hashed.embed_questions(["Cats purr, purr", "purr PURR cats", "whales sing"])
    np.testing.assert_array_equal(first, second)
    assert first.dtype == np.float32
    assert np.linalg.norm(first) == pytest.approx(1)
    assert first @ other < 0.5


def test_hashed_words_are_the_same_on_every_machine() -> None:
    (row,) = HashEmbedder(8).embed_questions(["123456789"])
    assert row.argmax() == 0xCBF43926 % 8  # the published check value of crc32


def test_a_document_without_a_word_is_refused_by_id() -> None:
    with pytest.raises(DataError, match=r"1 of 2 embeddings are zero .first: 'blank'."):
        HashEmbedder(8).embed_documents([ANIMALS[0], Document("blank", " \n")])


def test_a_question_of_signs_alone_can_still_be_asked() -> None:
    assert np.linalg.norm(HashEmbedder(8).embed_questions(["???"])) == pytest.approx(1)


@offline
def test_the_real_model_finds_the_document_that_means_the_same(minilm: SentenceTransformerEmbedder) -> None:
    documents = minilm.embed_documents(ANIMALS)
    questions = minilm.embed_questions(["Which nocturnal bird is a predator?", "Which insect communicates by movement?"])
    assert [ANIMALS[row].id for row in (questions @ documents.T).argmax(axis=1)] == ["owl", "bee"]
    assert documents.shape == (4, 384)
    assert documents.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(documents, axis=1), 1, atol=1e-6)


@offline
def test_long_documents_are_counted_and_logged_before_they_are_cut(
    minilm: SentenceTransformerEmbedder, caplog: pytest.LogCaptureFixture
) -> None:
    # One token a word and two of the model's own: 254 words fit the 256 tokens that it reads, 255 do not.
    fits, cut = Document("fits", " ".join(["cat"] * 254)), Document("cut", " ".join(["cat"] * 255))
    assert minilm.n_truncated([fits, cut, *ANIMALS]) == 1
    with caplog.at_level(logging.WARNING, logger="rag_eval.retrieve.embed"):
        minilm.embed_documents([fits])
        assert not caplog.records
        minilm.embed_documents([fits, cut])
    assert [record.getMessage().split(";")[0] for record in caplog.records] == [
        "1 of 2 documents are longer than the 256 tokens the embedder reads"
    ]


@offline
def test_the_identity_follows_the_files_and_not_their_place(minilm: SentenceTransformerEmbedder, tmp_path: Path) -> None:
    copied = linked(Path(minilm_path()), tmp_path / "copy")
    there = SentenceTransformerEmbedder(str(copied), None, batch_size=2, device="cpu")
    assert there.identity() == minilm.identity()
    (copied / "README.md").write_text("changed")
    (copied / "vocab.txt").unlink()
    changed = SentenceTransformerEmbedder(str(copied), None, batch_size=2, device="cpu")
    assert changed.identity()["embedder"] != minilm.identity()["embedder"]
    assert minilm.identity()["max_tokens"] == 256


@offline
def test_weights_with_another_sha256_are_refused_before_loading() -> None:
    embedder = SentenceTransformerEmbedder(minilm_path(), "0" * 64, batch_size=2, device="cpu")
    with pytest.raises(DataError, match=rf"model\.safetensors: expected sha256 {'0' * 64}, found {SHA256}"):
        embedder.embed_questions(["anything"])


@offline
def test_a_hub_model_is_read_from_the_local_cache_at_its_revision(hub: Path, minilm: SentenceTransformerEmbedder) -> None:
    linked(Path(minilm_path()), hub / "models--some--model" / "snapshots" / COMMIT)
    cached = SentenceTransformerEmbedder("some/model", SHA256, batch_size=2, device="cpu", revision=COMMIT)
    assert cached.identity() == minilm.identity()


def test_a_hub_model_that_cannot_be_had_is_named(hub: Path) -> None:
    with pytest.raises(DataError, match=r"embedder\.model=some/absent is not on this machine, and HF_HUB_OFFLINE forbids to fetch it"):
        SentenceTransformerEmbedder("some/absent", None, batch_size=2, device="cpu").identity()
    with pytest.raises(DataError, match="neither a folder nor a model"):
        SentenceTransformerEmbedder("no/such/folder", None, batch_size=2, device="cpu").identity()


def test_a_hub_that_does_not_answer_is_the_machines_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> str:
        raise LocalEntryNotFoundError("no connection")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("rag_eval.retrieve.embed.snapshot_download", unreachable)
    with pytest.raises(EnvironmentFault, match="the hub does not answer"):
        SentenceTransformerEmbedder("some/absent", None, batch_size=2, device="cpu").identity()


def test_a_missing_offline_model_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag_eval.retrieve.offline.find_spec", lambda name: None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'rag_eval\[offline\]'"):
        minilm_path()


def linked(source: Path, target: Path) -> Path:
    """The same files in another folder, without copying them."""
    for file in source.rglob("*"):
        if file.is_file():
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(file)
    return target
