"""Lexical retrieval with BM25."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

import bm25s
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, PositiveInt

from rag_eval.errors import DataError
from rag_eval.protocols import Cache, Numbers
from rag_eval.retrieve.analyzer import Analyzer
from rag_eval.retrieve.document_store import DocumentStore, documents_sha
from rag_eval.retrieve.exclude_itself import n_own, without_itself
from rag_eval.retrieve.text_of import question_text
from rag_eval.retrieve.top_k import top_k_positive
from rag_eval.source import code_sha
from rag_eval.types import Cached, Context, Document, Example, Hit, SearchResult

WORDS = "words.npy"  # vocabulary indices of the words of all documents, concatenated
LENGTHS = "lengths.npy"  # number of words of each document

logging.getLogger("bm25s").setLevel(logging.WARNING)  # bm25s logs every step


class BM25:
    """Retriever that ranks all documents by BM25 score.

    Robertson and Zaragoza 2009, in the variants of Kamphuis et al. 2020, computed by bm25s. A document without a word of the question
    is not returned, so a question without a known word has no hits. Words of the title count in addition to those of the text, even
    if the text begins with the title.

    Every score depends on the whole corpus, so a later `add` or `remove` rebuilds the index from the stored words; only changed
    documents are analyzed again.
    """

    context: Context = "retrieved"

    def __init__(
        self,
        analyzer: Analyzer,
        cache: Cache,
        k1: NonNegativeFloat,
        b: Annotated[float, Field(ge=0, le=1)],
        method: Literal["robertson", "lucene", "atire"],
        k: PositiveInt,
        depth: PositiveInt,
    ) -> None:
        """Configure an empty retriever.

        Args:
            analyzer: splits texts into words.
            cache: cache of the index of the first documents between runs.
            k1: saturation of term frequency; 0 = only presence counts.
            b: strength of length normalisation, in [0, 1]; 0 = none.
            method: variant of the idf and term-frequency formulas.
            k: documents that enter the prompt.
            depth: documents that are retrieved and scored; k if that is larger.
        """
        self.k = k
        self.depth = max(k, depth)
        self._analyzer = analyzer
        self._cache = cache
        self._formula = {"k1": float(k1), "b": float(b), "method": method}
        self._shelf = DocumentStore()
        self._words: dict[int, NDArray[np.int32]] = {}  # by document number: vocabulary indices (n_words,)
        self._index = bm25s.BM25(**self._formula)
        self._vocabulary: dict[str, int] = {}

    def identity(self) -> Mapping[str, Any]:
        """Everything that determines the results."""
        return {"depth": self.depth, **self._settings()}

    def add(self, documents: Sequence[Document]) -> Cached | None:
        """Add documents, or replace those with known ids.

        Args:
            documents: documents with distinct ids.

        Returns:
            Cache entry of the index; None for documents added later.

        Raises:
            DataError: if an id is repeated; nothing is added then.
        """
        if not documents:
            return None
        numbers, _ = self._shelf.put(documents)
        if not self._words:
            return self._begin(numbers, documents)
        self._words |= zip(numbers.tolist(), self._analyze(documents, self._vocabulary), strict=True)
        self._rebuild()
        return None

    def remove(self, ids: Sequence[str]) -> None:
        """Remove documents. Raises KeyError for an unknown id and then removes nothing."""
        for number in self._shelf.take(ids).tolist():
            del self._words[number]
        if self._words:
            self._rebuild()

    def search(self, examples: Sequence[Example]) -> list[SearchResult]:
        """Rank documents by score.

        Args:
            examples: questions.

        Returns:
            At most `depth` documents with a score above 0 per question, equal scores in order of insertion. `seconds` is an equal
            share of the batch.

        Raises:
            DataError: if there are no documents.
        """
        if not self._words:
            raise DataError("there are no documents to search. Add documents, or use retriever=none.")
        start = time.perf_counter()
        numbers = self._shelf.numbers
        found = [self._find(example, numbers) for example in examples]
        seconds = {"search": (time.perf_counter() - start) / max(1, len(examples))}
        return [SearchResult(hits, seconds) for hits in found]

    def exactly(self, examples: Sequence[Example]) -> list[SearchResult] | None:
        """None, because `search` is exact."""
        return None

    def _find(self, example: Example, numbers: Numbers) -> tuple[Hit, ...]:
        known = [self._vocabulary[word] for word in self._analyzer.words(question_text(example)) if word in self._vocabulary]
        if not known:
            return ()
        scores = self._index.get_scores(known)
        rows = top_k_positive(scores, self.depth + n_own([example]))
        return without_itself(self._shelf.hits(scores[rows].tolist(), numbers[rows].tolist()), example, self.depth)

    def _begin(self, numbers: Numbers, documents: Sequence[Document]) -> Cached:
        """Load the index of the first documents from the cache, or build and cache it."""

        def write(folder: Path) -> None:
            vocabulary: dict[str, int] = {}
            words = self._analyze(documents, vocabulary)
            self._indexed(words, vocabulary).save(folder, show_progress=False)
            np.save(folder / WORDS, np.concatenate(words), allow_pickle=False)
            np.save(folder / LENGTHS, np.array([len(one) for one in words]), allow_pickle=False)

        cached = self._cache.build("indexes", {**self._settings(), "documents": documents_sha(documents)}, write)
        self._index = bm25s.BM25.load(cached.path, show_progress=False)
        self._vocabulary = self._index.vocab_dict
        ends = np.cumsum(np.load(cached.path / LENGTHS, allow_pickle=False))
        words = np.split(np.load(cached.path / WORDS, allow_pickle=False), ends[:-1])
        self._words = dict(zip(numbers.tolist(), words, strict=True))
        return cached

    def _rebuild(self) -> None:
        self._index = self._indexed([self._words[number] for number in self._shelf.numbers.tolist()], self._vocabulary)

    def _analyze(self, documents: Sequence[Document], vocabulary: dict[str, int]) -> list[NDArray[np.int32]]:
        """Vocabulary indices of the words; unknown words are added to the vocabulary."""
        texts = (self._analyzer.words(f"{document.title}\n{document.text}") for document in documents)
        return [np.array([vocabulary.setdefault(word, len(vocabulary)) for word in words], dtype=np.int32) for words in texts]

    def _indexed(self, words: Sequence[NDArray[np.int32]], vocabulary: dict[str, int]) -> Any:
        index = bm25s.BM25(**self._formula)
        with np.errstate(invalid="ignore"):  # the mean length of a corpus without words is 0
            index.index(([one.tolist() for one in words], vocabulary), create_empty_token=False, show_progress=False)
        return index

    def _settings(self) -> dict[str, Any]:
        made_by = {"bm25s": version("bm25s"), "code": code_sha(__name__)}
        return {"retriever": "bm25", "analyzer": dict(self._analyzer.identity()), **self._formula, **made_by}
