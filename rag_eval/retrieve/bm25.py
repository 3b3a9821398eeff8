"""Lexical retrieval: documents that share rare words with the question win."""

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
from rag_eval.parts import Cache, Cached, Context, Numbers
from rag_eval.retrieve.analyzer import Analyzer
from rag_eval.retrieve.best import best_above_zero
from rag_eval.retrieve.others import n_own, others
from rag_eval.retrieve.searchable import question_text
from rag_eval.retrieve.shelf import Shelf, documents_sha
from rag_eval.source import code_sha
from rag_eval.types import Document, Example, Retrieved, Searched

WORDS = "words.npy"  # the words of all documents by their places in the vocabulary, one document after the other
LENGTHS = "lengths.npy"  # how many words each document has

logging.getLogger("bm25s").setLevel(logging.WARNING)  # it says what it does at every step


class BM25:
    """Finds the documents with the highest BM25 scores, by comparing with every document.

    Robertson and Zaragoza 2009; the variants are those of Kamphuis et al. 2020, computed by bm25s. A document that shares
    no word with the question is not found, so a question without a known word finds nothing. Words of a title count beside
    those of the text, also where the text begins with it.

    Each score depends on the whole corpus. So a later `add` or a `remove` makes the whole index anew from the words of the
    documents, which are kept; only the changed documents are analyzed again.
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
        """
        Args:
            analyzer: texts to words.
            cache: keeps the index of the first documents from run to run.
            k1: how much a word counts that comes more than once; 0 = as if it came once.
            b: how much long documents are held against them; 0 = not at all.
            method: how words are weighted by their rareness, and how their counts level off.
            k: documents that enter the prompt.
            depth: documents that are searched and scored; k when that is more.
        """
        self.k = k
        self.depth = max(k, depth)
        self._analyzer = analyzer
        self._cache = cache
        self._formula = {"k1": float(k1), "b": float(b), "method": method}
        self._shelf = Shelf()
        self._words: dict[int, NDArray[np.int32]] = {}  # (n_words,) of each document by number: places in the vocabulary
        self._index = bm25s.BM25(**self._formula)
        self._vocabulary: dict[str, int] = {}

    def identity(self) -> Mapping[str, Any]:
        """What decides what is found."""
        return {"depth": self.depth, **self._settings()}

    def add(self, documents: Sequence[Document]) -> Cached | None:
        """Add documents, or replace those with known ids. Returns where the index is kept, None for documents added later.

        Raises:
            DataError: if an id comes twice; nothing is added then.
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
        """Forget documents. Raises KeyError on an unknown id, and then forgets none."""
        for number in self._shelf.take(ids).tolist():
            del self._words[number]
        if self._words:
            self._rebuild()

    def search(self, examples: Sequence[Example]) -> list[Searched]:
        """For each question the documents with the best scores above 0, at most `depth`, equal scores in the order of arrival.

        `seconds` holds each question's equal share of the batch.

        Raises:
            DataError: if there are no documents.
        """
        if not self._words:
            raise DataError("there are no documents to search. Add documents, or use retriever=none.")
        start = time.perf_counter()
        numbers = self._shelf.numbers
        found = [self._find(example, numbers) for example in examples]
        seconds = {"search": (time.perf_counter() - start) / max(1, len(examples))}
        return [Searched(hits, seconds) for hits in found]

    def exactly(self, examples: Sequence[Example]) -> list[Searched] | None:
        """None: `search` compares with every document."""
        return None

    def _find(self, example: Example, numbers: Numbers) -> tuple[Retrieved, ...]:
        known = [self._vocabulary[word] for word in self._analyzer.words(question_text(example)) if word in self._vocabulary]
        if not known:
            return ()
        scores = self._index.get_scores(known)
        rows = best_above_zero(scores, self.depth + n_own([example]))
        return others(self._shelf.hits(scores[rows].tolist(), numbers[rows].tolist()), example, self.depth)

    def _begin(self, numbers: Numbers, documents: Sequence[Document]) -> Cached:
        """Take the index of the first documents from the cache, or make it and keep it there."""

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
        """Places in the vocabulary, which grows by the words that it does not hold yet."""
        texts = (self._analyzer.words(f"{document.title}\n{document.text}") for document in documents)
        return [np.array([vocabulary.setdefault(word, len(vocabulary)) for word in words], dtype=np.int32) for words in texts]

    def _indexed(self, words: Sequence[NDArray[np.int32]], vocabulary: dict[str, int]) -> Any:
        index = bm25s.BM25(**self._formula)
        with np.errstate(invalid="ignore"):  # of a corpus without a word, whose mean length is 0
            index.index(([one.tolist() for one in words], vocabulary), create_empty_token=False, show_progress=False)
        return index

    def _settings(self) -> dict[str, Any]:
        made_by = {"bm25s": version("bm25s"), "code": code_sha(__name__)}
        return {"retriever": "bm25", "analyzer": dict(self._analyzer.identity()), **self._formula, **made_by}
