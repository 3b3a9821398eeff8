"""Text analysis for lexical search, the same for documents and questions."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Literal

import Stemmer

from rag_eval.retrieve.words import pieces, words
from rag_eval.source import code_sha

_STOP_LISTS: Mapping[str, frozenset[str]] = {
    "none": frozenset(),
    "english": frozenset(
        words("""
        a an the this that these those it its they their there he his she her we our you your i my
        and or but if so as than not no
        of in on at to by for from with into about
        is are was were be been being am do does did has have had can could will would shall should may might must
        what which who whom whose when where why how s t
        """)
    ),
}


class Analyzer:
    """Splits a text into terms: NFKC normalisation, lower case, optional stop-word removal and stemming.

    In scripts without spaces between words, such as Chinese, Japanese or Thai, the terms are overlapping character bigrams and single
    Han characters, so that a word is found inside a sentence; also for Korean, where particles are attached to words.
    """

    def __init__(self, stop_list: Literal["none", "english"], stemmer: Literal["none", "english"]) -> None:
        """Configure the analysis.

        Args:
            stop_list: list of words to remove because nearly every text contains them.
            stemmer: "english" is the Snowball stemmer (Porter 2001); "none" keeps words unchanged.
        """
        self._stop_list = stop_list
        self._stop_words = _STOP_LISTS[stop_list]
        self._stemmer = Stemmer.Stemmer(stemmer) if stemmer != "none" else None
        self._stemmed_by = {"stemmer": stemmer, "PyStemmer": version("PyStemmer")} if self._stemmer else {"stemmer": stemmer}

    def identity(self) -> Mapping[str, Any]:
        """Everything that determines the terms; the stop list is covered by the code hash."""
        return {"stop_list": self._stop_list, **self._stemmed_by, "code": code_sha(__name__)}

    def words(self, text: str) -> list[str]:
        """Terms of a text with multiplicity; empty for a text of punctuation or stop words only."""
        return [piece for word in self.keywords(text) for piece in pieces(word)]

    def keywords(self, text: str) -> list[str]:
        """Words of a text in order, not split into bigrams."""
        kept = [word for word in words(text) if word not in self._stop_words]
        return list(self._stemmer.stemWords(kept)) if self._stemmer else kept
