"""Every retriever that searches, over every index, finds planted answers: at first, from the cache, after a change and a removal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from rag_eval.conf_folder import conf_dir
from rag_eval.config.build import build
from rag_eval.config.check import check
from rag_eval.config.compose import composed
from rag_eval.config.signature import signature
from rag_eval.protocols import Searching
from rag_eval.types import Document, Example, Grading
from tests.claims import every
from tests.retrieve.sparse_models import write_sparse_encoder

N = 40
SYLLABLES = ["ba", "co", "du", "fe", "gi", "lo", "mu", "ne", "pi", "ra"]
NAMES = [f"{first}{second}x" for first in SYLLABLES for second in SYLLABLES][: N + 1]  # one belongs to each document alone
DEEDS = ["sings", "sleeps", "hunts", "swims"]
CORPUS = [Document(f"d{at}", f"the {name} {DEEDS[at % 4]} here", name) for at, name in enumerate(NAMES[:N])]
QUESTIONS = [Example(f"q{at}", f"where is it that the {name} {DEEDS[at % 4]}", ("here",), (f"d{at}",)) for at, name in enumerate(NAMES[:N])]
REVISED = Document("d7", f"the {NAMES[N]} hunts here", NAMES[N])
REASKED = Example("q7", f"where is it that the {NAMES[N]} hunts", ("here",), ("d7",))

# By index, what it needs to hold these documents.
INDEXES = {
    "flat": [],
    "l2": [],
    "torch": [],
    "ivf": [],
    "ivf_pq": ["retriever.index.factory='IVF{nlist},PQ384x4np'", "retriever/embedder=minilm"],
    "hnsw": [],
    "annoy": [],
    "postgres": [],
}

# What makes each of them quick and independent of models that are not installed.
QUICK = {
    "dense": ["retriever/embedder=hashed"],
    "bm25": [],
    "sparse": [],  # its model is written here
    "hybrid": ["retriever/embedder@retriever.retrievers.dense.embedder=hashed"],
    "reranked": ["retriever/embedder@retriever.reranker.embedder=hashed"],
    "multi_query": ["retriever/embedder@retriever.retriever.embedder=hashed"],
}


@pytest.fixture(scope="module")
def sparse_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sparse_encoder(tmp_path_factory.mktemp("sparse"), [*NAMES, *DEEDS, "the", "here", "where"])


def built(name: str, root: Path, sparse_model: Path, *more: str) -> Searching:
    given = [f"retriever.encoder.model={sparse_model}"] if name == "sparse" else []
    overrides = ["mode=rag", f"retriever={name}", *QUICK[name], *given, *more, f"cache.root={root}"]
    retriever = build(check(composed(overrides)).retriever)
    assert isinstance(retriever, Searching)
    return retriever


def first(retriever: Searching, questions: list[Example]) -> list[str]:
    return [found.hits[0].document.id for found in retriever.search(questions)]


def everything(retriever: Searching) -> list[list[tuple[str, float]]]:
    return [[(hit.document.id, hit.score) for hit in found.hits] for found in retriever.search(QUESTIONS)]


def test_these_are_all_retrievers_that_search() -> None:
    targets = {file.stem: yaml.safe_load(file.read_text())["_target_"] for file in (conf_dir() / "retriever").glob("*.yaml")}
    assert {name for name, target in targets.items() if "exactly" in signature(target).methods} == set(QUICK)


@pytest.mark.parametrize("name", QUICK)
def test_a_planted_answer_is_first_before_and_after_a_reload_a_change_and_a_removal(name: str, tmp_path: Path, sparse_model: Path) -> None:
    check_changes(built(name, tmp_path, sparse_model), built(name, tmp_path, sparse_model))


@pytest.mark.parametrize("name", QUICK)
def test_a_question_that_is_a_document_finds_as_many_others(name: str, tmp_path: Path, sparse_model: Path) -> None:
    retriever = built(name, tmp_path, sparse_model)
    retriever.add(CORPUS)
    plain = Example("d5", CORPUS[5].text, (), ("d9",))
    own = replace(plain, grading=Grading(itself=("d5",)))
    (found,) = retriever.search([own])
    all_found, again = retriever.search([plain, own])
    assert all_found.hits[0].document.id == "d5"
    assert "d5" not in {hit.document.id for hit in (*found.hits, *again.hits)}
    assert len(all_found.hits) == len(found.hits) == len(again.hits) == retriever.depth
    assert [hit.rank for hit in found.hits] == list(range(1, retriever.depth + 1))
    exact = retriever.exactly([own])
    assert exact is None or "d5" not in {hit.document.id for hit in exact[0].hits}


def test_these_are_all_indexes() -> None:
    assert {file.stem for file in (conf_dir() / "retriever" / "index").glob("*.yaml")} - {"faiss_gpu"} == set(INDEXES)


@pytest.mark.usefixtures("postgres")
@pytest.mark.parametrize("index", INDEXES)
def test_a_planted_answer_is_first_over_every_index(index: str, tmp_path: Path, sparse_model: Path) -> None:
    retriever, again = (built("dense", tmp_path, sparse_model, f"retriever/index={index}", *INDEXES[index]) for _ in range(2))
    check_changes(retriever, again)


def check_changes(retriever: Searching, again: Searching) -> None:
    """Both are built alike and empty; the second takes from the cache what the first put there."""
    kept = [one.add(CORPUS) for one in (retriever, again)]
    assert [one is not None and one.is_hit for one in kept] == [False, True]
    for one in (retriever, again):
        assert first(one, QUESTIONS) == [document.id for document in CORPUS]
        one.add([REVISED])
        assert first(one, [REASKED, *QUESTIONS[:7], *QUESTIONS[8:]]) == ["d7", *(document.id for document in CORPUS if document.id != "d7")]
        assert NAMES[7] not in {hit.document.title for found in one.search(QUESTIONS) for hit in found.hits}
        one.remove(["d7", "d0"])
        assert {"d7", "d0"}.isdisjoint(hit.document.id for found in one.search([*QUESTIONS, REASKED]) for hit in found.hits)
        assert first(one, [*QUESTIONS[1:7], *QUESTIONS[8:]]) == [document.id for document in CORPUS if document.id not in {"d7", "d0"}]
    assert everything(retriever) == everything(again)
    assert retriever.identity() == again.identity()
    assert every(len(found.hits) <= retriever.depth for found in retriever.search(QUESTIONS))
