"""Texts to vectors: unit rows in order, batches that change nothing, prompts, faults by name, nothing cut in silence."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from numpy.lib.format import open_memmap
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from transformers import BertModel

from rag_eval.device import faster_dtype
from rag_eval.errors import DataError, EnvironmentFault
from rag_eval.models.minilm_wheel import PACKAGE, minilm_path
from rag_eval.protocols import Embedder
from rag_eval.record.cache import DirectoryCache
from rag_eval.retrieve.encoders import token_batches
from rag_eval.retrieve.encoders.hashing import HashEmbedder
from rag_eval.retrieve.encoders.mean_pool import MeanPoolEmbedder, _mean_of_states
from rag_eval.retrieve.encoders.sentence_transformer import SentenceTransformerEmbedder
from rag_eval.retrieve.encoders.tfidf_svd import TfidfSvd
from rag_eval.retrieve.encoders.token_batches import Limits, TextReader, embed, plan, tokenized
from rag_eval.retrieve.encoders.vectors import in_memory, refuse_bad_rows, unit_rows
from rag_eval.retrieve.encoders.weights import resolved
from rag_eval.retrieve.text_of import document_text
from rag_eval.testing.models import write_random_model
from rag_eval.types import Document, Truncation
from tests.claims import every
from tests.retrieve.encoders import write_bert, write_roberta, write_sentence_transformer

ANIMALS = (
    Document("cat", "Cats purr and chase mice.", "Cat"),
    Document("whale", "Whales sing under water.", "Whale"),
    Document("bee", "Bees dance to show where flowers are.", "Bee"),
    Document("owl", "Owls hunt at night.", "Owl"),
)
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SPELLED = [Document(f"d{n}", " ".join(LETTERS[(n + at) % 26] for at in range(1 + n * 7 % 19))) for n in range(23)]  # 1 to 19 tokens

SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
COMMIT = "0" * 40
offline = pytest.mark.skipif(find_spec(PACKAGE) is None, reason="needs pip install 'rag_eval[offline]'")


def transformer(folder: Path | str, sha256: str | None = None, batch_size: int = 8, token_budget: int = 64) -> SentenceTransformerEmbedder:
    return SentenceTransformerEmbedder(str(folder), sha256, batch_size, token_budget, dtype="float32", device="cpu")


def mean_pool(folder: Path | str, batch_size: int = 8, token_budget: int = 64) -> MeanPoolEmbedder:
    return MeanPoolEmbedder(str(folder), None, batch_size, token_budget, dtype="float32", device="cpu")


@pytest.fixture(scope="module")
def minilm() -> SentenceTransformerEmbedder:
    return transformer(minilm_path(), SHA256, token_budget=1024)


@pytest.fixture(scope="module")
def prompted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sentence_transformer(tmp_path_factory.mktemp("st") / "prompted", {"query": "query : ", "passage": "text : "})


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"))


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


def test_rows_are_made_unit_and_bad_ones_are_left_to_be_refused_by_name() -> None:
    rows = unit_rows([[3.0, 4.0], [1e30, 0.0], [0.0, 0.0], [np.nan, 1.0]])
    np.testing.assert_allclose(rows[:3], [[0.6, 0.8], [1, 0], [0, 0]], rtol=1e-6)
    with pytest.raises(DataError, match=r"1 of 3 embeddings are zero .first: 'c'"):
        refuse_bad_rows(rows[:3], ["a", "b", "c"])
    with pytest.raises(DataError, match=r"1 of 4 embeddings are not finite .first: 'd'"):
        refuse_bad_rows(rows, ["a", "b", "c", "d"])


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
        HashEmbedder(8).embed_documents([ANIMALS[0], Document("blank", " \n")], in_memory)


def test_a_question_of_signs_alone_can_still_be_asked() -> None:
    assert np.linalg.norm(HashEmbedder(8).embed_questions(["???"])) == pytest.approx(1)


@pytest.mark.parametrize("name", ["hashed", "transformer", "mean_pool", "tfidf_svd"])
def test_documents_fill_the_array_that_is_given(name: str, tmp_path: Path, prompted: Path) -> None:
    makers: dict[str, Callable[[], Embedder]] = {
        "hashed": lambda: HashEmbedder(64),
        "transformer": lambda: transformer(prompted),
        "mean_pool": lambda: mean_pool(prompted),
        "tfidf_svd": lambda: TfidfSvd(3, DirectoryCache(str(tmp_path / "cache"))),
    }
    embedder = makers[name]()
    embedder.learn(ANIMALS)
    given = []

    def allocate(shape: tuple[int, int]) -> np.ndarray:
        given.append(open_memmap(tmp_path / "vectors.npy", "w+", np.float32, shape))
        return given[-1]

    vectors = embedder.embed_documents(ANIMALS, allocate)
    assert [vectors is one for one in given] == [True]
    vectors.flush()
    np.testing.assert_array_equal(np.load(tmp_path / "vectors.npy"), embedder.embed_documents(ANIMALS, in_memory))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_batches_are_of_similar_length_and_within_the_budget() -> None:
    lengths = np.array([3, 10, 1, 7, 30, 2, 2, 2])
    batches = plan(lengths, Limits(token_budget=20, max_rows=3))
    assert [batch.tolist() for batch in batches] == [[4], [1, 3], [0, 5, 6], [7, 2]]  # 30 is over the budget and stands alone


def test_without_a_budget_the_device_decides() -> None:
    assert Limits.on(torch.device("cpu"), None, 8) == Limits(1024, 8)
    assert Limits.on(torch.device("cuda"), None, 8) == Limits(65_536, 8)
    assert Limits.on(torch.device("cuda"), 7, 8) == Limits(7, 8)


@pytest.mark.parametrize("make", [transformer, mean_pool])
def test_the_network_never_gets_more_than_the_limits(
    make: Callable[..., Embedder], prompted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = []
    forward = BertModel.forward

    def watched(self: BertModel, input_ids: torch.Tensor, **more: object) -> object:
        shapes.append(tuple(input_ids.shape))
        return forward(self, input_ids, **more)

    monkeypatch.setattr(BertModel, "forward", watched)
    make(prompted, batch_size=5, token_budget=48).embed_documents(SPELLED, in_memory)
    assert sum(rows for rows, _ in shapes) == len(SPELLED)
    assert every(rows <= 5 and (rows * width <= 48) for rows, width in shapes)
    assert len(shapes) < len(SPELLED) / 2


@pytest.mark.parametrize("make", [transformer, mean_pool])
def test_a_text_alone_gets_the_vector_that_it_gets_among_others(make: Callable[..., Embedder], prompted: Path) -> None:
    embedder = make(prompted, token_budget=200)
    together = embedder.embed_documents(SPELLED, in_memory)
    alone = np.concatenate([embedder.embed_documents([document], in_memory) for document in SPELLED])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert abs(together[0] - together[1]).max() > 0.01


def test_batches_beside_each_other_change_nothing(prompted: Path) -> None:
    n_threads = torch.get_num_threads()
    rows = []
    try:
        for n in (1, 4):
            torch.set_num_threads(n)
            rows.append(transformer(prompted, token_budget=20).embed_documents(SPELLED, in_memory))
            assert torch.get_num_threads() == n
    finally:
        torch.set_num_threads(n_threads)
    np.testing.assert_array_equal(*rows)


@pytest.mark.parametrize("n_batches", [1, 4])
def test_an_accelerator_is_one_batch_ahead(n_batches: int) -> None:
    begun: list[int] = []

    def forward(rows: np.ndarray) -> torch.Tensor:
        begun.append(int(rows[0]))
        return torch.tensor([int(rows[0])])

    given = token_batches._one_ahead(forward, [np.array([n]) for n in range(n_batches)])
    assert [(int(next(given)), len(begun)) for _ in range(n_batches)] == [(n, min(n + 2, n_batches)) for n in range(n_batches)]


def test_padding_on_the_left_is_masked_too(bert: Path) -> None:
    reading = mean_pool(bert)._encoder._documents
    reading.tokenizer.padding_side = "left"
    try:
        blocks = token_batches.padded(tokenized(reading, ["a", "a b c"]), np.array([0, 1]), reading.tokenizer)
    finally:
        reading.tokenizer.padding_side = "right"
    a, b, c = (8, 9, 10)
    assert blocks["input_ids"].tolist() == [[0, 0, 2, a, 3], [2, a, b, c, 3]]
    assert blocks["attention_mask"].tolist() == [[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]]


def test_the_mean_is_over_the_tokens_of_the_text() -> None:
    class States:
        last_hidden_state = torch.tensor([[[2.0, 0.0], [4.0, 2.0], [900.0, 900.0]]])

    mean = _mean_of_states(lambda **_: States, {"attention_mask": torch.tensor([[1, 1, 0]])})
    assert mean.tolist() == [[3.0, 1.0]]


@pytest.mark.parametrize(
    ("prompts", "default", "include_prompt", "query", "document"),
    [
        ({}, None, True, "", ""),
        ({"query": "query : ", "passage": "text : "}, None, True, "query : ", "text : "),
        ({"query": "query : ", "document": "text : ", "passage": "z z "}, None, False, "query : ", "text : "),
        ({"query": "query : ", "document": "", "passage": "text : "}, None, True, "query : ", "text : "),
        ({"other": "text : "}, "other", True, "text : ", "text : "),
        ({"query": "query : ", "other": "text : "}, "other", False, "query : ", "text : "),
        ({"query": "query : "}, "query", True, "query : ", ""),
    ],
)
def test_texts_get_the_prompts_that_the_folder_declares_for_their_kind(
    prompts: dict[str, str], default: str | None, include_prompt: bool, query: str, document: str, tmp_path: Path
) -> None:
    folder = write_sentence_transformer(tmp_path / "model", prompts, default, include_prompt)
    theirs, ours = SentenceTransformer(str(folder), device="cpu"), transformer(folder)
    texts = [document.text for document in SPELLED]
    documents, questions = ours.embed_documents(SPELLED, in_memory), ours.embed_questions(texts)
    np.testing.assert_allclose(documents, theirs.encode(texts, prompt=document, normalize_embeddings=True), atol=1e-5)
    np.testing.assert_allclose(questions, theirs.encode(texts, prompt=query, normalize_embeddings=True), atol=1e-5)
    assert ours.identity()["prompts"] == {"query": query, "document": document}
    if query != document:
        assert abs(documents - questions).max() > 0.01


@pytest.mark.parametrize("kind", [SentenceTransformerEmbedder, MeanPoolEmbedder])
def test_a_prefix_stands_before_every_text_and_takes_the_place_of_a_declared_prompt(kind: type, prompted: Path) -> None:
    def made(**prefixes: str) -> Embedder:
        embedder: Embedder = kind(str(prompted), None, 8, 64, dtype="float32", device="cpu", **prefixes)
        return embedder

    spelled = [Document(one.id, f"z y {one.text}") for one in SPELLED]
    plain, prefixed = made(query_prefix="", document_prefix=""), made(query_prefix="x ", document_prefix="z y ")
    by_prefix, by_hand = prefixed.embed_documents(SPELLED, in_memory), plain.embed_documents(spelled, in_memory)
    np.testing.assert_allclose(by_prefix, by_hand, atol=1e-5)
    np.testing.assert_allclose(prefixed.embed_questions(["a b"]), plain.embed_questions(["x a b"]), atol=1e-5)
    assert abs(by_prefix - plain.embed_documents(SPELLED, in_memory)).max() > 0.01
    assert prefixed.identity()["prompts"] == {"query": "x ", "document": "z y "}
    assert prefixed.identity() != plain.identity()


@offline
def test_the_real_model_gives_what_sentence_transformers_gives(minilm: SentenceTransformerEmbedder) -> None:
    texts = [" ".join(ANIMALS[(n + at) % 4].text for at in range(1 + n)) for n in (*range(9), 20, 45)]  # the longest is cut
    theirs = SentenceTransformer(minilm_path(), device="cpu")
    ours = minilm.embed_documents([Document(str(n), text) for n, text in enumerate(texts)], in_memory)
    np.testing.assert_allclose(ours, theirs.encode_document(texts), atol=1e-5)
    np.testing.assert_allclose(minilm.embed_questions(texts[:5]), theirs.encode_query(texts[:5]), atol=1e-5)


@offline
def test_the_real_model_finds_the_document_that_means_the_same(minilm: SentenceTransformerEmbedder) -> None:
    documents = minilm.embed_documents(ANIMALS, in_memory)
    questions = minilm.embed_questions(["Which nocturnal bird is a predator?", "Which insect communicates by movement?"])
    assert [ANIMALS[row].id for row in (questions @ documents.T).argmax(axis=1)] == ["owl", "bee"]
    assert documents.shape == (4, 384)
    assert documents.dtype == np.float32


@offline
def test_long_documents_are_counted_and_logged_when_they_are_cut(
    minilm: SentenceTransformerEmbedder, caplog: pytest.LogCaptureFixture
) -> None:
    # One token a word and two of the model's own: 254 words fit the 256 tokens that it reads, 734 are 480 too many.
    fits, cut = Document("fits", " ".join(["cat"] * 254)), Document("cut", " ".join(["cat"] * 734))
    assert minilm.truncation([fits]) == Truncation(1, 0, 0.0)
    assert minilm.truncation([fits, cut]) == Truncation(2, 1, 480 / (256 + 736))
    with caplog.at_level(logging.WARNING, logger="rag_eval.retrieve.encoders.encoder"):
        minilm.embed_documents([fits], in_memory)
        assert not caplog.records
        minilm.embed_documents([fits, cut], in_memory)
    assert [record.getMessage() for record in caplog.records] == [
        "1 of 2 documents are longer than the 256 tokens the embedder reads; their ends are not embedded (48.4 % of all tokens)"
    ]


def test_embedded_documents_are_not_tokenized_again_to_count_what_was_cut(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = mean_pool(bert)
    long = Document("long", " ".join(LETTERS * 2))
    embedder.embed_documents([long], in_memory)
    monkeypatch.setattr("rag_eval.retrieve.encoders.encoder.tokenized", None)
    assert embedder.truncation([long]) == Truncation(1, 1, 22 / 54)  # 52 letters and 2 special tokens, of which 32 are read


def test_positions_that_begin_after_the_padding_are_not_read_past(tmp_path: Path) -> None:
    embedder = mean_pool(write_roberta(tmp_path))
    long = Document("long", " ".join((LETTERS * 4)[:100]))
    assert np.isfinite(embedder.embed_documents([long], in_memory)).all()
    assert embedder.truncation([long]) == Truncation(1, 1, 70 / 102)  # 100 letters and 2 special tokens, of which 32 are read


@pytest.mark.parametrize(("write_network", "stated"), [(write_bert, 512), (write_roberta, 512), (write_roberta, 34), (write_roberta, None)])
def test_a_model_that_states_a_longer_input_than_it_has_positions_reads_as_many_as_it_has(
    write_network: Callable[[Path], Path], stated: int | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_sentence_transformer(tmp_path, {}, write_network=write_network)
    if stated is not None:
        (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": stated}))
    embedder, long = transformer(folder), Document("long", " ".join((LETTERS * 4)[:100]))
    with caplog.at_level(logging.WARNING, logger="rag_eval.retrieve.encoders.encoder"):
        (row,) = embedder.embed_documents([long], in_memory)
    assert "1 of 1 documents are longer than the 32 tokens the embedder reads" in caplog.text
    assert embedder.truncation([long]) == Truncation(1, 1, 70 / 102)
    np.testing.assert_allclose(row, embedder.embed_questions([long.text[:59]])[0], atol=1e-5)  # the first 30 letters and their blanks


def test_many_texts_are_tokenized_in_parts(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = mean_pool(bert)._encoder._documents
    texts = [document.text for document in SPELLED] + [" ".join(LETTERS * 3)]
    whole = tokenized(reading, texts)
    monkeypatch.setattr(token_batches, "_AT_ONCE", 5)
    parts = tokenized(reading, texts)
    assert [row.tolist() for row in parts.columns["input_ids"]] == [row.tolist() for row in whole.columns["input_ids"]]
    assert parts.n_uncut.tolist() == whole.n_uncut.tolist() == [len(text.split()) + 2 for text in texts]


def test_auto_takes_the_number_format_that_this_device_is_faster_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag_eval.device._multiply_s", lambda matrix: 1.0 if matrix.dtype == torch.float32 else 100.0)
    faster_dtype.cache_clear()
    try:
        assert resolved("auto", torch.device("cpu")) == "float32"  # bfloat16 without hardware for it
        assert resolved("bfloat16", torch.device("cpu")) == "bfloat16"
        monkeypatch.setattr("rag_eval.device._multiply_s", lambda matrix: 1.9 if matrix.dtype == torch.float32 else 1.0)
        faster_dtype.cache_clear()
        assert resolved("auto", torch.device("cpu")) == "bfloat16"
    finally:
        faster_dtype.cache_clear()


@pytest.mark.parametrize("kind", [SentenceTransformerEmbedder, MeanPoolEmbedder])
def test_bfloat16_gives_float32_unit_rows_near_the_others_and_another_identity(kind: type, prompted: Path) -> None:
    short, full = (kind(str(prompted), None, 8, 64, dtype=dtype, device="cpu") for dtype in ("bfloat16", "float32"))
    rows = short.embed_documents(SPELLED, in_memory)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert ((rows * full.embed_documents(SPELLED, in_memory)).sum(axis=1) > 0.99).all()
    assert (short.identity()["dtype"], full.identity()["dtype"]) == ("bfloat16", "float32")


def test_jobs_of_one_process_load_a_model_once(prompted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = transformer(prompted).embed_questions(["a"])
    monkeypatch.setattr("rag_eval.retrieve.encoders.sentence_transformer.SentenceTransformer", None)
    np.testing.assert_array_equal(transformer(prompted).embed_questions(["a"]), before)


def test_changed_files_are_not_taken_for_the_loaded_ones(tmp_path: Path) -> None:
    write_bert(tmp_path)
    before = mean_pool(tmp_path).embed_questions(["a b"])
    save_file({name: weight + 0.1 for name, weight in load_file(tmp_path / "model.safetensors").items()}, tmp_path / "model.safetensors")
    assert abs(mean_pool(tmp_path).embed_questions(["a b"]) - before).max() > 0.01


@offline
def test_the_identity_follows_the_files_and_not_their_place(minilm: SentenceTransformerEmbedder, tmp_path: Path) -> None:
    copied = linked(Path(minilm_path()), tmp_path / "copy")
    there = transformer(copied, token_budget=1024)
    assert there.identity() == minilm.identity()
    (copied / "README.md").write_text("changed")
    (copied / "vocab.txt").unlink()
    assert transformer(copied, token_budget=1024).identity()["embedder"] != minilm.identity()["embedder"]
    assert minilm.identity()["max_tokens"] == 256


@offline
def test_weights_with_another_sha256_are_refused_before_loading() -> None:
    with pytest.raises(DataError, match=rf"model\.safetensors: expected sha256 {'0' * 64}, found {SHA256}"):
        transformer(minilm_path(), "0" * 64).learn([])


@offline
def test_a_hub_model_is_read_from_the_local_cache_at_its_revision(hub: Path, minilm: SentenceTransformerEmbedder) -> None:
    linked(Path(minilm_path()), hub / "models--some--model" / "snapshots" / COMMIT)
    cached = SentenceTransformerEmbedder("some/model", SHA256, 8, 1024, "float32", "cpu", revision=COMMIT)
    assert cached.identity() == minilm.identity()
    with pytest.raises(DataError, match=r"embedder\.model=some/model is not on this machine"):
        SentenceTransformerEmbedder("some/model", SHA256, 8, 1024, "float32", "cpu", revision="deadbeef").identity()


@pytest.mark.parametrize("make", [transformer, mean_pool])
def test_a_hub_model_that_cannot_be_had_is_named(make: Callable[..., Embedder], hub: Path) -> None:
    with pytest.raises(DataError, match=r"embedder\.model=some/absent is not on this machine, and HF_HUB_OFFLINE forbids to fetch it"):
        make("some/absent").learn([])
    with pytest.raises(DataError, match=r"neither a folder nor a model|expected a folder with safetensors weights or a hub id"):
        make("no/such/folder").learn([])


def test_a_hub_that_does_not_answer_is_the_machines_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> str:
        raise LocalEntryNotFoundError("no connection")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("rag_eval.retrieve.encoders.hub_folder.snapshot_download", unreachable)
    with pytest.raises(EnvironmentFault, match="the hub does not answer"):
        transformer("some/absent").learn([])


def test_a_missing_offline_model_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag_eval.models.minilm_wheel.find_spec", lambda name: None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'rag_eval\[offline\]'"):
        minilm_path()


def edited(file: str, **changed: object) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / file
        path.write_text(json.dumps(json.loads(path.read_text()) | changed))

    return edit


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def cut_short(folder: Path) -> None:
    os.truncate(folder / "model.safetensors", 5000)


def garbled(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\xff" * 64)


def emptied(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"")


def in_a_circle(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to("model.safetensors")


def indexed(shard: str) -> Callable[[Path], None]:
    def index(folder: Path) -> None:
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"embeddings.word_embeddings.weight": shard}}))

    return index


def not_a_number(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["encoder.layer.1.output.dense.weight"][3, 3] = float("nan")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def few_vectors(folder: Path) -> None:
    write_bert(folder, vocab_size=20)


FAULTS = [  # what is done to a good folder, and what is said
    (pickled, "pickle weights refused; convert to safetensors"),
    (edited("config.json", auto_map={"AutoModel": "modeling_x.Evil"}), "config.json: 'auto_map' would run code"),
    (edited("config.json", _attn_implementation_internal="evil/repo"), "'_attn_implementation_internal' would run code"),
    (edited("config.json", text_config={"trust_remote_code": True}), "'trust_remote_code' would run code"),
    (edited("config.json", model_type="no-such-type"), "could not be loaded: .*no-such-type"),
    (cut_short, "model.safetensors: not a whole safetensors file"),
    (garbled, "model.safetensors: not a whole safetensors file"),
    (emptied, "model.safetensors: not a whole safetensors file"),
    (in_a_circle, "model.safetensors: not a whole safetensors file"),
    (indexed("model-00002-of-00002.safetensors"), r"index\.json: names 'model-00002-of-00002.safetensors', which is no file beside it"),
    (indexed("../model.safetensors"), r"index\.json: names '\.\./model.safetensors', which is no file beside it"),
    (not_a_number, "the weight encoder.layer.1.output.dense.weight is not finite"),
    (few_vectors, "the tokenizer has 34 tokens, the network vectors for 20"),
]


@pytest.mark.parametrize(("spoil", "said"), FAULTS)
@pytest.mark.parametrize("make", [transformer, mean_pool])
def test_a_bad_model_folder_is_refused_in_one_line(
    make: Callable[..., Embedder], spoil: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    folder = write_sentence_transformer(tmp_path / "model", {})
    spoil(folder)
    with pytest.raises(DataError, match=said) as caught:
        make(folder).embed_questions(["a"])
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_module_of_another_library_is_refused(tmp_path: Path) -> None:
    folder = write_sentence_transformer(tmp_path / "model", {})
    (folder / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": "", "type": "evil.Module"}]))
    with pytest.raises(DataError, match="expected module types under sentence_transformers"):
        transformer(folder).learn([])


def test_a_model_that_reads_messages_is_refused(tmp_path: Path) -> None:
    folder = write_sentence_transformer(tmp_path / "model", {})
    edited("tokenizer_config.json", chat_template="{{ messages }}")(folder)
    way = {"method": "forward", "method_output_name": "last_hidden_state"}
    settings = {"modality_config": {"text": way, "message": way}, "module_output_name": "token_embeddings"}
    (folder / "sentence_bert_config.json").write_text(json.dumps(settings))
    with pytest.raises(DataError, match="expected a transformer that reads plain text with a fast tokenizer, found Transformer"):
        transformer(folder).embed_questions(["a"])


def test_a_model_that_generates_text_is_no_encoder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected an encoder such as BertModel, found LlamaForCausalLM, which generates text"):
        mean_pool(write_random_model(tmp_path / "llama")).learn([])
    edited("config.json", architectures=["LlamaModel"])(tmp_path / "llama")
    with pytest.raises(DataError, match="found LlamaModel, which generates text"):
        mean_pool(tmp_path / "llama").learn([])


def test_an_encoder_without_some_of_its_weights_is_refused(bert: Path, tmp_path: Path) -> None:
    write_bert(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if "layer.1.output" not in name}
    save_file(kept, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(DataError, match=r"4 weights are not in its files .first: encoder.layer.1.output"):
        mean_pool(tmp_path).embed_questions(["a"])


def test_a_vector_that_is_not_finite_is_refused_by_the_id_of_its_document(bert: Path) -> None:
    reading = mean_pool(bert)._encoder._documents

    def broken(features: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.where(features["input_ids"][:, 1:2] == 9, torch.nan, torch.ones(1, 4))  # 9 is the letter b

    tokens = tokenized(TextReader(reading.tokenizer, broken, reading.device, None), ["a", "b", "c"])
    with pytest.raises(DataError, match=r"1 of 3 embeddings are not finite .first: 'second'"):
        embed(TextReader(reading.tokenizer, broken, reading.device, None), tokens, Limits(64, 8), ["first", "second", "third"], in_memory)


TOPICS = [
    Document("c1", "cats purr"),
    Document("c2", "cats purr"),
    Document("c3", "cats purr purr"),
    Document("w1", "whales sing"),
    Document("w2", "whales sing"),
]


def test_words_that_come_together_share_a_direction(tmp_path: Path) -> None:
    embedder = TfidfSvd(2, DirectoryCache(str(tmp_path)))
    embedder.learn(TOPICS)
    assert embedder.embed_documents(TOPICS, in_memory).shape == (5, 3)
    cats, purring, whales = embedder.embed_questions(["cats", "what purrs or purr?", "the whales"])
    assert cats @ purring == pytest.approx(1, abs=1e-5)  # not one word in common
    assert cats @ whales == pytest.approx(0, abs=1e-5)


def test_a_text_without_a_known_word_points_where_no_other_does(tmp_path: Path) -> None:
    embedder = TfidfSvd(2, DirectoryCache(str(tmp_path)))
    embedder.learn(TOPICS)
    first, second, known = embedder.embed_questions(["zebra", "?!", "cats sing"])
    assert first.tolist() == second.tolist() == [0, 0, 1]
    assert known[2] == 0
    assert first @ known == 0


def test_learned_words_are_read_from_the_cache_as_they_were_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = TfidfSvd(2, DirectoryCache(str(tmp_path)))
    assert fresh.identity()["learned"] is None
    fresh.learn(TOPICS)
    vectors = fresh.embed_documents(TOPICS, in_memory)
    monkeypatch.setattr("rag_eval.retrieve.encoders.tfidf_svd._fitted", None)
    again = TfidfSvd(2, DirectoryCache(str(tmp_path)))
    again.learn(TOPICS)
    assert again.identity() == fresh.identity()
    np.testing.assert_array_equal(again.embed_documents(TOPICS, in_memory), vectors)
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file() and "tfidf_svd" in path.parts} <= {".json", ".npy", ".lock"}


def test_other_documents_teach_something_else(tmp_path: Path) -> None:
    one, other = (TfidfSvd(2, DirectoryCache(str(tmp_path))) for _ in range(2))
    one.learn(TOPICS)
    other.learn(ANIMALS)
    assert one.identity() != other.identity()


def test_more_directions_than_the_documents_have_are_not_made_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    embedder = TfidfSvd(256, DirectoryCache(str(tmp_path)))
    embedder.learn(TOPICS)  # three of the five documents differ, and lie in three directions
    assert embedder.embed_documents(TOPICS, in_memory).shape == (5, 4)
    assert [record.getMessage() for record in caplog.records] == ["embedder.dim=256: 5 documents have 3 directions; these are kept"]


def test_documents_without_words_teach_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no word of two letters or more"):
        TfidfSvd(2, DirectoryCache(str(tmp_path))).learn([Document("a", "? !"), Document("b", "x y")])


def linked(source: Path, target: Path) -> Path:
    """The same files in another folder, without copying them."""
    for file in source.rglob("*"):
        if file.is_file():
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(file)
    return target


@pytest.mark.parametrize("spelled", ["[SEP]", "[CLS]", "[MASK]", "[PAD]", "[UNK]"])
def test_a_special_token_that_a_text_spells_is_text(bert: Path, spelled: str) -> None:
    embedder = mean_pool(bert)
    asked, apart = (embedder.embed_questions([f"a {text} b"])[0] for text in (spelled, f"[ {spelled[1:-1].lower()} ]"))
    assert np.array_equal(asked, apart)
    documents = [Document(str(at), text) for at, text in enumerate((f"a {spelled} b", "a b", "a"))]
    together = embedder.embed_documents(documents, in_memory)
    assert np.allclose(together[0], apart, atol=1e-6)
    assert np.allclose(together[1], embedder.embed_questions(["a b"])[0], atol=1e-6)
    reading = embedder._encoder._documents
    assert tokenized(reading, [f"a {spelled}"]).columns["input_ids"][0].tolist()[-1] == reading.tokenizer.sep_token_id
    assert reading.tokenizer("[SEP]", add_special_tokens=False)["input_ids"] == [reading.tokenizer.sep_token_id]  # the tokenizer as it was
