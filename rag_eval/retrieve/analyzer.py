"""Text to the words that lexical search compares: the same way for documents and for questions."""

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
    """Splits a text into words: compatible characters made one (NFKC), lower-cased, stop words left out, stems if wanted.

    Where no spaces part words, as in Chinese, Japanese or Thai, it gives overlapping pairs of characters instead, and single
    Han characters, so that a word is found inside a sentence; of Korean too, whose particles are written onto the word.
    """

    def __init__(self, stop_list: Literal["none", "english"], stemmer: Literal["none", "english"]) -> None:
        """
        Args:
            stop_list: words that are left out, because nearly every text has them.
            stemmer: reduces words to their stems; english is Snowball's (Porter 2001), none keeps words as they are.
        """
        self._stop_list = stop_list
        self._stop_words = _STOP_LISTS[stop_list]
        self._stemmer = Stemmer.Stemmer(stemmer) if stemmer != "none" else None
        self._stemmed_by = {"stemmer": stemmer, "PyStemmer": version("PyStemmer")} if self._stemmer else {"stemmer": stemmer}

    def identity(self) -> Mapping[str, Any]:
        """What decides the words; the stop list itself is part of the code."""
        return {"stop_list": self._stop_list, **self._stemmed_by, "code": code_sha(__name__)}

    def words(self, text: str) -> list[str]:
        """What is compared, each as often as it stands there; nothing for a text of signs or stop words alone."""
        return [piece for word in self.keywords(text) for piece in pieces(word)]

    def keywords(self, text: str) -> list[str]:
        """The words of a text in its order, whole where no spaces part them."""
        kept = [word for word in words(text) if word not in self._stop_words]
        return list(self._stemmer.stemWords(kept)) if self._stemmer else kept
