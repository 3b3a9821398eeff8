"""Retrieval is measured alone, and what was found once is not searched again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rag_eval.record.cache import DirectoryCache
from rag_eval.retrieve.cached_retriever import CachedRetriever
from rag_eval.retrieve.dense import Dense
from rag_eval.retrieve.document_store import documents_sha
from rag_eval.retrieve.encoders.hashing import HashEmbedder
from rag_eval.types import Document, Example, Grading, Turn
from tests.commands import Ended
from tests.retrieve.indexes import flat

Command = Callable[..., Ended]
FAST = ("mode=retrieval", "dataset.preset=ci", "retriever/embedder=hashed")
LETTERS = [Document(letter, f"{letter * 3} word") for letter in "abcdef"]


def lettered(tmp_path: Path) -> Dense:
    dense = Dense(HashEmbedder(4096), flat(), DirectoryCache(str(tmp_path)), k=1, depth=3)
    dense.add(LETTERS)
    return dense


def kept(dense: Dense, tmp_path: Path) -> CachedRetriever:
    return CachedRetriever(dense, LETTERS, documents_sha(LETTERS), DirectoryCache(str(tmp_path)))


def test_a_retrieval_run_scores_what_is_found_and_no_answers(command: Command) -> None:
    ended = command(*FAST)
    assert ended.code == 0, ended.err
    record = ended.record
    found = record["estimates"]
    assert {"retrieval/hit_1", "retrieval/recall_10", "retrieval/mrr_10", "retrieval/ndcg_10"} <= found.keys()
    assert {name.partition("/")[0] for name in found} == {"retrieval", "prompt"}
    assert found["retrieval/ndcg_10"]["n"] == 160
    assert record["facts"]["counts"]["n_malformed"] == record["facts"]["counts"]["n_answered"] == 0
    assert set(record["facts"]["seconds"]) == {"embed", "search", "e2e"}
    assert record["facts"]["throughput"]["searches_per_s"] > 0
    assert record["spends"]["learn"]["seconds"] > 0
    assert record["spends"]["learn"]["stored_bytes"] > 0
    assert "nDCG@10" in ended.out
    assert "in the prompt" not in ended.out  # there is none
    assert "first retriever.k" in ended.out
    assert "questions searched a second" in ended.out


def test_an_approximate_index_is_compared_with_an_exact_search(command: Command) -> None:
    near, exact = (command(*FAST, f"retriever/index={index}") for index in ("hnsw", "torch"))
    assert 0.9 < near.mean("retrieval/exact_recall_10") < 1
    again = command(*FAST, "retriever/index=hnsw", "retriever.k=2")
    assert again.record["estimates"]["retrieval/exact_recall_10"] == near.record["estimates"]["retrieval/exact_recall_10"]
    assert "retrieval/exact_recall_10" not in exact.record["estimates"]


def test_another_k_searches_nothing_again(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    first = command(*FAST)
    search, n_asked = Dense.search, []

    def counted(self: Dense, examples: list[Example]) -> object:
        n_asked.append(len(examples))
        return search(self, examples)

    monkeypatch.setattr(Dense, "search", counted)
    second = command(*FAST, "retriever.k=2")
    assert n_asked == [1]  # the warm-up
    assert command(*FAST, "retriever/index=hnsw").code == command(*FAST, "retriever/index=hnsw", "retriever.k=2").code == 0
    assert n_asked == [1, 1, 128, 72, 1]
    assert first.record["spends"]["answer"]["reused_s"] is None
    assert second.record["spends"]["answer"]["reused_s"] == pytest.approx(first.record["spends"]["answer"]["seconds"])
    for name in ("retrieval/ndcg_10", "retrieval/hit_1"):
        assert first.record["estimates"][name] == second.record["estimates"][name]
    assert first.mean("prompt/holds_evidence") > second.mean("prompt/holds_evidence")


def test_what_is_kept_is_what_was_found(tmp_path: Path) -> None:
    asked = [Example("q1", "where is aaa word", ("x",)), Example("q2", "where is fff", ("x",))]
    dense = lettered(tmp_path)
    first, again = (kept(dense, tmp_path).search(asked) for _ in range(2))
    assert first == again == [one if one.seconds == other.seconds else other for one, other in zip(first, again, strict=True)]
    assert [one.hits for one in first] == [one.hits for one in dense.search(asked)]
    assert first[1].hits[0].document.id == "f"


@pytest.mark.parametrize("change", ["documents", "questions", "depth"])
def test_what_was_found_otherwise_is_not_taken(tmp_path: Path, change: str) -> None:
    cache, dense = DirectoryCache(str(tmp_path)), lettered(tmp_path)
    asked = [Example("q1", "where is aaa word", ("x",))]
    kept(dense, tmp_path).search(asked)
    if change == "depth":
        dense.depth = 4
    other = CachedRetriever(dense, LETTERS, "another sha" if change == "documents" else documents_sha(LETTERS), cache)
    other.search([Example("q1", "who is bbb", ("x",))] if change == "questions" else asked)
    assert other.reused_s == 0
    other.search([Example("q1", "who is bbb", ("x",))] if change == "questions" else asked)
    assert other.reused_s > 0


def test_what_was_found_for_a_question_is_not_taken_for_one_that_is_a_document(tmp_path: Path) -> None:
    plain = Example("a", "where is aaa", (), ("b",))
    own = replace(plain, grading=Grading(itself=("a",)))
    dense = lettered(tmp_path)
    assert kept(dense, tmp_path).search([plain])[0].hits[0].document.id == "a"
    other = kept(dense, tmp_path)
    assert "a" not in {hit.document.id for hit in other.search([own])[0].hits}
    assert other.reused_s == 0


def test_a_conversation_is_not_taken_for_one_question(tmp_path: Path) -> None:
    whole, followed = (
        Example("q1", "who is aaa where is bbb", ("x",)),
        Example("q1", "where is bbb", ("x",), history=(Turn("who is aaa", "b"),)),
    )
    dense = lettered(tmp_path)
    kept(dense, tmp_path).search([whole])
    other = kept(dense, tmp_path)
    other.search([followed])
    assert other.reused_s == 0


def test_replacing_a_document_is_never_taken_from_the_cache(command: Command, tmp_path: Path) -> None:
    command(*FAST)
    n = len(list((tmp_path / "cache" / "embeddings").glob("*/manifest.json")))
    command(*FAST, "experiment_name=again")
    assert len(list((tmp_path / "cache" / "embeddings").glob("*/manifest.json"))) == n + 1


def test_documents_cannot_change_under_what_is_kept(tmp_path: Path) -> None:
    retriever = kept(lettered(tmp_path), tmp_path)
    with pytest.raises(ValueError, match="other documents"):
        retriever.add(LETTERS)
    with pytest.raises(ValueError, match="other documents"):
        retriever.remove(["a"])


def test_questions_without_gold_answers_are_searched_and_not_answered(command: Command, tmp_path: Path) -> None:
    documents = [{"id": document.id, "text": document.text} for document in LETTERS]
    questions = [{"id": letter, "question": f"who has {letter * 3}?", "evidence": [letter], "retrieval_only": True} for letter in "abc"]
    for name, rows in (("d", documents), ("q", questions)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = ("dataset=jsonl", "dataset.documents=d.jsonl", "dataset.questions=q.jsonl", "retriever/embedder=hashed")
    ended = command("mode=retrieval", *files)
    assert ended.code == 0, ended.err
    assert (ended.mean("retrieval/hit_1"), ended.record["estimates"]["retrieval/hit_1"]["n"]) == (1.0, 3)
    refused = command("mode=rag", *files)
    assert refused.code == 2
    assert "3 of 3 questions have no gold answers (first: 'a')" in refused.err
    assert "Use mode=retrieval." in refused.err


def test_what_the_embedder_did_not_read_is_in_the_record(command: Command, tmp_path: Path) -> None:
    documents = [{"id": "short", "text": "a few words"}, {"id": "long", "text": "many words " * 300}]
    questions = [{"id": "q", "question": "who has many words?", "answers": ["x"], "evidence": ["long"]}]
    for name, rows in (("d", documents), ("q", questions)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = ("mode=retrieval", "dataset=jsonl", "dataset.documents=d.jsonl", "dataset.questions=q.jsonl")
    for cut in (command(*files).record["facts"], command(*files, "retriever.k=1").record["facts"]):  # embedded, and from the cache
        assert (cut["truncation"]["n_texts"], cut["truncation"]["n_truncated"]) == (2, 1)
        assert 0.5 < cut["truncation"]["share_of_tokens_cut"] < 0.6
    assert command(*files, "retriever/embedder=hashed").record["facts"]["truncation"] is None
    assert command(*files, "chunker=sentences").record["facts"]["truncation"]["n_truncated"] == 0
