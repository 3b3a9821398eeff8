"""Rankings are fused by the formula; a hybrid searches with all of its retrievers, and several forms of a question likewise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from rag_eval.errors import ConfigError
from rag_eval.protocols import Searching
from rag_eval.record.cache import DirectoryCache
from rag_eval.retrieve.analyzer import Analyzer
from rag_eval.retrieve.bm25 import BM25
from rag_eval.retrieve.fusion import fused
from rag_eval.retrieve.hybrid import Hybrid
from rag_eval.retrieve.multi_query import MultiQuery
from rag_eval.retrieve.text_of import question_text
from rag_eval.types import Cached, Context, Document, Example, Hit, SearchResult, Turn


class Listed:
    """Finds what a table says of the searched text, in the table's order; `exact` says what an exact search would find."""

    context: Context = "retrieved"

    def __init__(self, table: Mapping[str, str], exact: Mapping[str, str] | None = None, depth: int = 10) -> None:
        self.k, self.depth = 1, depth
        self.table, self.exact = table, exact
        self.documents: dict[str, Document] = {}

    def identity(self) -> Mapping[str, Any]:
        return {"table": dict(self.table)}

    def add(self, documents: Sequence[Document]) -> Cached | None:
        self.documents |= {document.id: document for document in documents}
        return None

    def remove(self, ids: Sequence[str]) -> None:
        for id in ids:
            del self.documents[id]

    def search(self, examples: Sequence[Example]) -> list[SearchResult]:
        return [searched(self.table.get(question_text(one), ""), {"embed": 1.0, "search": 2.0}) for one in examples]

    def exactly(self, examples: Sequence[Example]) -> list[SearchResult] | None:
        return None if self.exact is None else [searched(self.exact[question_text(one)]) for one in examples]


def ranking(ids: str) -> tuple[Hit, ...]:
    return tuple(Hit(Document(id, f"text of {id}"), 0.0, rank) for rank, id in enumerate(ids, start=1))


def searched(ids: str, seconds: Mapping[str, float] | None = None) -> SearchResult:
    return SearchResult(ranking(ids), seconds or {})


def ask(question: str, **more: Any) -> Example:
    return Example("q", question, (), **more)


def hybrid(retrievers: Mapping[str, Searching], k: int = 1, depth: int = 10, fused_depth: int = 10, **weights: float) -> Hybrid:
    return Hybrid(retrievers, weights, 60, fused_depth, k, depth)


def ids(found: SearchResult) -> str:
    return "".join(hit.document.id for hit in found.hits)


def test_a_document_scores_the_sum_of_its_weighted_reciprocal_ranks() -> None:
    hits = fused([ranking("abc"), ranking("ca")], [1.0, 2.0], constant=60, depth=10)
    assert [(hit.document.id, hit.rank) for hit in hits] == [("c", 1), ("a", 2), ("b", 3)]
    assert [hit.score for hit in hits] == pytest.approx([1 / 63 + 2 / 61, 1 / 61 + 2 / 62, 1 / 62], rel=1e-12)


def test_a_small_constant_favours_the_first_rank_and_a_large_one_being_in_both() -> None:
    rankings = [ranking("axxxb".replace("xxx", "cde")), ranking("fghib")]
    assert [fused(rankings, [1.0, 1.0], constant, 1)[0].document.id for constant in (0, 60)] == ["a", "b"]


def test_equal_sums_are_resolved_in_favour_of_the_first_ranking() -> None:
    assert [hit.document.id for hit in fused([ranking("ab"), ranking("ba")], [1.0, 1.0], 60, 2)] == ["a", "b"]
    assert [hit.document.id for hit in fused([ranking("ba"), ranking("ab")], [1.0, 1.0], 60, 2)] == ["b", "a"]


def test_a_hybrid_fuses_what_each_finds_as_deep_as_asked_and_sums_the_seconds() -> None:
    first, second = Listed({"?": "abcd"}), Listed({"?": "dcab"})
    (found,) = hybrid({"one": first, "two": second}, fused_depth=2, depth=3).search([ask("?")])
    assert ids(found) == "adb"  # c is second of the second, b of the first, which comes first; a, d lead one each
    assert found.seconds["embed"] == 2.0
    assert found.seconds["search"] == pytest.approx(4.0, abs=0.1)
    assert found.seconds["search"] > 4.0
    (weighted,) = hybrid({"one": first, "two": second}, fused_depth=2, depth=3, two=1.5).search([ask("?")])
    assert ids(weighted) == "dca"


def test_documents_go_to_each_retriever_and_are_taken_from_each() -> None:
    first, second = Listed({}), Listed({})
    both = hybrid({"one": first, "two": second})
    both.add([Document("a", "a"), Document("b", "b")])
    both.remove(["a"])
    assert list(first.documents) == list(second.documents) == ["b"]


def test_a_hybrid_is_exact_where_its_parts_are_and_fuses_the_exact_searches_otherwise() -> None:
    exact, approximate = Listed({"?": "ab"}), Listed({"?": "ba"}, exact={"?": "ab"})
    assert hybrid({"one": exact}).exactly([ask("?")]) is None
    (found,) = hybrid({"two": approximate, "one": exact}).exactly([ask("?")]) or []
    assert ids(found) == "ab"
    assert ids(hybrid({"two": approximate, "one": exact}).search([ask("?")])[0]) == "ba"


def test_what_decides_the_fusion_is_part_of_its_identity() -> None:
    parts = {"one": Listed({"?": "a"}), "two": Listed({"?": "b"})}
    found = [hybrid(parts), hybrid(parts, two=2.0), hybrid(parts, fused_depth=9), hybrid({"one": parts["one"]}), hybrid(parts, depth=9)]
    assert len({str(one.identity()) for one in found}) == len(found)
    assert hybrid(parts, k=2).identity() == hybrid(parts).identity()


def test_contradictions_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"retriever.retrievers.one searches 9 deep. Raise retriever.retrievers.one.depth"):
        hybrid({"one": Listed({}, depth=9)})
    with pytest.raises(ConfigError, match=r"retriever.weights.two is of no retriever; known: one"):
        hybrid({"one": Listed({})}, two=1.0)
    with pytest.raises(ConfigError, match="retrievers is empty"):
        hybrid({})
    with pytest.raises(ConfigError, match=r"searches 9 deep. Raise retriever.retriever.depth"):
        MultiQuery(Listed({}, depth=9), Analyzer("english", "none"), 60, fused_depth=10, k=1, depth=10)


def test_what_two_indexes_took_is_counted_together(tmp_path: Path) -> None:
    def made(root: str) -> BM25:
        return BM25(Analyzer("none", "none"), DirectoryCache(str(tmp_path / root)), 0.9, 0.4, "lucene", 1, 10)

    document = Document("a", "a word")
    known = made("one").add([document])
    kept = hybrid({"one": made("one"), "two": made("two")}).add([document])
    assert known is not None
    assert kept is not None
    assert (kept.is_hit, kept.seconds) == (True, known.seconds)  # the other was built by this call, in its own time
    assert kept.n_bytes == pytest.approx(2 * known.n_bytes, rel=0.01)  # a manifest holds seconds


def test_a_question_is_searched_alone_after_its_conversation_and_as_words() -> None:
    inner = Listed({"What of it?": "ab", "Who sings? What of it?": "bc", "sings": "cd", "it?": "d"})
    multi = MultiQuery(inner, Analyzer("english", "none"), 60, fused_depth=10, k=1, depth=4)
    (found,) = multi.search([ask("What of it?", history=(Turn("Who sings?", "Owls."),))])
    assert ids(found) == "bcad"
    assert found.seconds["embed"] == 3.0
    assert multi.exactly([ask("What of it?")]) is None
