"""Candidates are put into the order of a reranker's scores: a cross-encoder's, or relevance less resemblance."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sentence_transformers import CrossEncoder
from transformers import BertConfig, BertForSequenceClassification, BertTokenizer, RobertaConfig, RobertaForSequenceClassification

from rag_eval.errors import ConfigError, DataError
from rag_eval.record.cache import DirectoryCache
from rag_eval.retrieve.analyzer import Analyzer
from rag_eval.retrieve.bm25 import BM25
from rag_eval.retrieve.encoders.hashing import HashEmbedder
from rag_eval.retrieve.rerankers.cross_encoder import CrossEncoderReranker
from rag_eval.retrieve.rerankers.mmr import MaximalMarginalRelevance, mmr
from rag_eval.retrieve.two_stage import TwoStage
from rag_eval.types import Document, Example
from tests.retrieve.test_embedders import edited

NIGHT = tuple(Document(name, f"{name} at night{' and by day' * at}") for at, name in enumerate(["owl", "bat", "cat", "moth"]))
ASKED = Example("q", "Who is out at night?", ())


class ByLength:
    """Scores a candidate by its length; counts the candidates and remembers what it has learned."""

    def __init__(self, worth: float = 1.0) -> None:
        self.worth, self.n_scored, self.learned = worth, 0, 0

    def learn(self, documents: Sequence[Document]) -> None:
        self.learned += len(documents)

    def identity(self) -> Mapping[str, Any]:
        return {"reranker": "length", "worth": self.worth}

    def score(self, questions: Sequence[str], candidates: Sequence[Sequence[Document]]) -> list[NDArray[np.float32]]:
        self.n_scored += sum(map(len, candidates))
        return [np.array([self.worth * len(one.text) for one in those], dtype=np.float32) for those in candidates]


@pytest.fixture
def bm25(tmp_path: Path) -> BM25:
    return BM25(Analyzer("english", "none"), DirectoryCache(str(tmp_path)), 0.9, 0.4, "lucene", k=1, depth=3)


def ids(retriever: TwoStage | BM25, example: Example = ASKED) -> list[str]:
    return [hit.document.id for hit in retriever.search([example])[0].hits]


def test_candidates_come_in_the_order_of_their_new_scores_and_the_rest_is_dropped(bm25: BM25) -> None:
    reranker = ByLength()
    reranked = TwoStage(bm25, reranker, rerank_depth=3, k=1, depth=2)
    reranked.add(NIGHT)
    reranked.add(NIGHT[:1])
    assert ids(bm25) == ["owl", "bat", "cat"]
    (found,) = reranked.search([ASKED])
    assert [(hit.document.id, hit.score, hit.rank) for hit in found.hits] == [
        ("cat", 34.0, 1),
        ("bat", 23.0, 2),
    ]  # "cat at night and by day and by day"
    assert set(found.seconds) == {"search", "rerank"}
    assert found.seconds["rerank"] > 0
    assert (reranker.n_scored, reranker.learned) == (3, 4)


def test_only_as_many_candidates_are_scored_again_as_asked(bm25: BM25) -> None:
    reranked = TwoStage(bm25, ByLength(), rerank_depth=2, k=1, depth=2)
    reranked.add(NIGHT)
    assert ids(reranked) == ["bat", "owl"]  # the third, the longest, is not looked at


def test_equal_new_scores_keep_the_order_of_the_search_and_nothing_found_stays_nothing(bm25: BM25) -> None:
    reranked = TwoStage(bm25, ByLength(0.0), rerank_depth=3, k=1, depth=3)
    reranked.add(NIGHT)
    assert ids(reranked) == ids(bm25)
    assert ids(reranked, Example("q", "dragons", ())) == []
    assert reranked.search([]) == []


def test_a_score_that_is_not_finite_is_refused_by_question(bm25: BM25) -> None:
    reranked = TwoStage(bm25, ByLength(float("nan")), rerank_depth=3, k=1, depth=3)
    reranked.add(NIGHT)
    with pytest.raises(DataError, match="question 'q': expected 3 finite scores"):
        reranked.search([ASKED])


def test_the_depths_must_fit_into_each_other(bm25: BM25) -> None:
    with pytest.raises(ConfigError, match=r"searches 3 deep. Raise retriever.retriever.depth"):
        TwoStage(bm25, ByLength(), rerank_depth=4, k=1, depth=3)
    with pytest.raises(ConfigError, match="less than the 3 documents that are kept"):
        TwoStage(bm25, ByLength(), rerank_depth=2, k=1, depth=3)


def test_inner_retriever_reranker_and_depths_are_part_of_the_identity(bm25: BM25) -> None:
    made = [
        TwoStage(bm25, ByLength(worth), rerank_depth, 1, depth)
        for worth, rerank_depth, depth in ((1, 3, 3), (2, 3, 3), (1, 2, 2), (1, 3, 2))
    ]
    assert len({str(one.identity()) for one in made}) == len(made)
    assert TwoStage(bm25, ByLength(), 3, 2, 3).identity() == made[0].identity()
    assert made[0].exactly([ASKED]) is None


def test_marginal_relevance_is_that_of_the_paper_worked_by_hand() -> None:
    relevance = np.array([0.9, 0.8, 0.5], dtype=np.float32)
    resemblance = np.array([[1, 0.9, 0.1], [0.9, 1, 0.1], [0.1, 0.1, 1]], dtype=np.float32)
    # first a: .5*.9; then b: .5*.8 - .5*.9 = -.05, c: .5*.5 - .5*.1 = .2; then b again against its nearest, a
    np.testing.assert_allclose(mmr(relevance, resemblance, 0.5), [0.45, -0.05, 0.2], atol=1e-6)
    np.testing.assert_allclose(mmr(relevance, resemblance, 1.0), relevance)


def test_the_scores_of_marginal_relevance_fall_in_the_order_of_choice_whatever_the_vectors() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        vectors = rng.standard_normal((12, 4)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        share = float(rng.uniform())
        relevance, resemblance = vectors @ vectors[0], vectors @ vectors.T
        order: list[int] = []
        while len(order) < 12:  # the definition: the best of what is left, given what was chosen
            worth = {
                at: share * relevance[at] - (1 - share) * max([0.0, *(resemblance[at, one] for one in order)])
                for at in range(12)
                if at not in order
            }
            order.append(max(worth, key=lambda at: worth[at]))
        assert np.argsort(-mmr(relevance, resemblance, share), kind="stable").tolist() == order


def test_a_copy_of_a_better_document_comes_last_where_variety_counts(bm25: BM25) -> None:
    corpus = [Document("a", "bats hunt moths at night"), Document("copy", "bats hunt moths at night"), Document("b", "owls hunt alone")]
    example = Example("q", "Do bats hunt moths at night?", ())
    for share, expected in ((1.0, ["a", "copy", "b"]), (0.5, ["a", "b", "copy"])):
        reranked = TwoStage(bm25, MaximalMarginalRelevance(HashEmbedder(65536), share), rerank_depth=3, k=1, depth=3)
        reranked.add(corpus)
        assert ids(reranked, example) == expected


WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "owl", "bat", "cat", "moth", "at", "night", "by", "day", "who", "is", "out", "?"]


def write_cross_encoder(folder: Path, n_labels: int = 1) -> Path:
    """A cross-encoder of random weights, wide enough apart that no two pairs tie."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        num_labels=n_labels,
        initializer_range=0.5,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    BertTokenizer(vocab={word: at for at, word in enumerate(WORDS)}).save_pretrained(folder)
    return folder


def write_short_cross_encoder(folder: Path, kind: Literal["bert", "roberta"], stated: int | None) -> Path:
    """One that reads 32 tokens, whatever it states; RoBERTa has 34 positions, numbered from 2."""
    torch.manual_seed(0)
    is_bert = kind == "bert"
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "num_labels": 1}
    sizes |= {"vocab_size": len(WORDS), "max_position_embeddings": 32 if is_bert else 34, "pad_token_id": 0 if is_bert else 1}
    made = BertForSequenceClassification(BertConfig(**sizes)) if is_bert else RobertaForSequenceClassification(RobertaConfig(**sizes))
    made.save_pretrained(folder)
    listed = WORDS if is_bert else [WORDS[1], WORDS[0], *WORDS[2:]]
    BertTokenizer(vocab={word: at for at, word in enumerate(listed)}).save_pretrained(folder)
    if stated is None:
        return folder
    CrossEncoder(str(folder), device="cpu").save(str(folder / "saved"))
    edited("sentence_bert_config.json", max_seq_length=stated)(folder / "saved")
    return folder / "saved"


@pytest.mark.parametrize(("kind", "stated"), [("bert", 512), ("roberta", 512), ("roberta", None)])
def test_a_cross_encoder_reads_as_many_tokens_as_it_has_positions_and_says_how_many_pairs_it_cuts(
    kind: Literal["bert", "roberta"], stated: int | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reranker = cross_encoder(write_short_cross_encoder(tmp_path / "model", kind, stated))
    long, cut = (Document(name, " ".join(["owl", "cat"] * n)) for name, n in (("long", 60), ("cut", 14)))
    with caplog.at_level(logging.WARNING, logger="rag_eval.retrieve.rerankers.cross_encoder"):
        (scores,) = reranker.score(["owl"], [[long, cut, NIGHT[0]]])
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)  # 28 words, the question and 3 special tokens are 32
    assert [record.getMessage() for record in caplog.records] == [
        "1 of 3 pairs of question and document are longer than the 32 tokens the reranker reads; their ends are not read"
    ]


def cross_encoder(folder: Path, batch_size: int = 2) -> CrossEncoderReranker:
    return CrossEncoderReranker(str(folder), None, batch_size, "cpu")


def test_a_cross_encoder_scores_each_pair_as_if_alone_and_in_the_order_given(tmp_path: Path) -> None:
    folder = write_cross_encoder(tmp_path / "model")
    questions, candidates = ["who is out at night ?", "cat ?", "nobody"], [NIGHT, NIGHT[:2], ()]
    scores = cross_encoder(folder).score(questions, candidates)
    model = CrossEncoder(str(folder), device="cpu")
    assert [one.shape for one in scores] == [(4,), (2,), (0,)]
    for question, those, got in zip(questions, candidates, scores, strict=True):
        alone = [model.predict([(question, one.text)], activation_fn=torch.nn.Identity())[0] for one in those]
        np.testing.assert_allclose(got, alone, rtol=1e-4, atol=1e-5)
    assert len({round(float(score), 4) for score in scores[0]}) == 4


def test_a_cross_encoder_decides_the_order(bm25: BM25, tmp_path: Path) -> None:
    reranker = cross_encoder(write_cross_encoder(tmp_path / "model"))
    reranked = TwoStage(bm25, reranker, rerank_depth=3, k=1, depth=3)
    reranked.add(NIGHT)
    (scores,) = reranker.score([ASKED.question], [NIGHT[:3]])
    assert ids(reranked) == [NIGHT[at].id for at in np.argsort(-scores)]
    assert reranker.identity() != cross_encoder(tmp_path / "model", batch_size=3).identity()


def test_a_model_that_would_run_code_unpickle_or_is_not_there_is_refused_before_documents_are_indexed(bm25: BM25, tmp_path: Path) -> None:
    folder = write_cross_encoder(tmp_path / "model")
    (folder / "modules.json").write_text('[{"idx": 0, "name": "0", "path": "", "type": "evil.Module"}]')
    with pytest.raises(DataError, match="evil"):
        TwoStage(bm25, cross_encoder(folder), rerank_depth=3, k=1, depth=3).add(NIGHT)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(DataError, match="pickle"):
        cross_encoder(folder)
    with pytest.raises(DataError, match="expected a folder"):
        cross_encoder(tmp_path / "nowhere")
    with pytest.raises(DataError, match="no documents"):
        bm25.search([ASKED])


def test_a_model_that_is_cut_short_is_refused_before_documents_are_indexed(bm25: BM25, tmp_path: Path) -> None:
    weights = write_cross_encoder(tmp_path / "model") / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(DataError, match="not a whole safetensors file"):
        TwoStage(bm25, cross_encoder(tmp_path / "model"), rerank_depth=3, k=1, depth=3).add(NIGHT)


def test_a_model_that_gives_several_scores_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gives 3 scores a pair"):
        cross_encoder(write_cross_encoder(tmp_path / "model", n_labels=3)).score(["owl"], [NIGHT])


def test_a_special_token_that_a_question_or_a_document_spells_is_text(tmp_path: Path) -> None:
    reranker = cross_encoder(write_cross_encoder(tmp_path / "model"))
    spelling, apart = (
        reranker.score([f"owl {text} ?"], [[Document("d", f"night {text}"), Document("e", "owl")]])[0] for text in ("[SEP]", "[ sep ]")
    )
    assert np.array_equal(spelling, apart)
