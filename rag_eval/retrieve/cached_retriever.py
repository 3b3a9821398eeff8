"""Disk cache of search results between runs: a changed prompt, k or metric does not repeat the search."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rag_eval.protocols import Cache, Searching
from rag_eval.source import code_sha
from rag_eval.types import Cached, Context, Document, Example, Hit, SearchResult

FILE = "found.jsonl"


class CachedRetriever:
    """Read-only retriever that caches search results on disk, keyed by retriever identity, corpus hash and questions."""

    def __init__(self, retriever: Searching, documents: Sequence[Document], sha: str, cache: Cache) -> None:
        """Wrap a retriever.

        Args:
            retriever: retriever that contains exactly the documents.
            documents: the documents, to restore cached results.
            sha: hash of the documents.
            cache: cache of the results.
        """
        self.context: Context = retriever.context
        self.k, self.depth = retriever.k, retriever.depth
        self.reused_s = 0.0  # seconds of all cached results returned so far, spent by earlier runs
        self._retriever, self._sha, self._cache = retriever, sha, cache
        self._documents = {document.id: document for document in documents}

    def add(self, documents: Sequence[Document]) -> Cached | None:
        """Not supported, because the documents are part of the cache key.

        Args:
            documents: ignored.

        Returns:
            Never returns.

        Raises:
            ValueError: always.
        """
        raise ValueError("what is kept was found among other documents; add to the retriever itself")

    def remove(self, ids: Sequence[str]) -> None:
        """Not supported, because the documents are part of the cache key.

        Args:
            ids: ignored.

        Raises:
            ValueError: always.
        """
        raise ValueError("what is kept was found among other documents; remove from the retriever itself")

    def search(self, examples: Sequence[Example]) -> list[SearchResult]:
        """Results of the retriever, from the cache if available; `seconds` of cached results are those of the original search."""
        if not examples:
            return []
        found, is_reused = self._found(examples, self._retriever.search, is_exact=False)
        if is_reused:
            self.reused_s += sum(sum(one.seconds.values()) for one in found)
        return found

    def exactly(self, examples: Sequence[Example]) -> list[SearchResult] | None:
        """Results of the retriever's exact search, from the cache if available; None if `search` is exact."""
        if self._retriever.exactly(()) is None:
            return None
        return self._found(examples, lambda asked: self._retriever.exactly(asked) or [], is_exact=True)[0]

    def _found(
        self, examples: Sequence[Example], search: Callable[[Sequence[Example]], list[SearchResult]], is_exact: bool
    ) -> tuple[list[SearchResult], bool]:
        """Results of a search, and whether they come from the cache."""

        def write(folder: Path) -> None:
            lines = ([[[hit.document.id, hit.score] for hit in one.hits], dict(one.seconds)] for one in search(examples))
            (folder / FILE).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")

        asked: dict[str, Any] = {
            "questions": [[*(turn.question for turn in one.history), one.question] for one in examples],
            "is_exact": is_exact,
        }
        if own := [sorted(one.grading.itself) for one in examples if one.grading.itself]:
            asked["itself"] = own
        key = {"retriever": self._retriever.identity(), "documents": self._sha, **asked, "code": code_sha(__name__)}
        kept = self._cache.build("found", key, write)
        lines = [json.loads(line) for line in (kept.path / FILE).read_text(encoding="utf-8").splitlines()]
        return [SearchResult(self._hits(hits), seconds) for hits, seconds in lines], kept.is_hit

    def _hits(self, hits: Sequence[tuple[str, float]]) -> tuple[Hit, ...]:
        return tuple(Hit(self._documents[id], score, rank) for rank, (id, score) in enumerate(hits, start=1))
