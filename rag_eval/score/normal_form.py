"""The form in which SQuAD compares texts (reference: evaluate-v2.0.py of SQuAD 2.0), and equality in it.

English comes out as there. What the reference does not think of:
- A text that is nothing without articles and punctuation ("A", "The The", "+") is compared with its articles and, where it
  has no word at all, with its punctuation, so that every answer can be given.
- Text in scripts other than Latin, Greek and Cyrillic loses all of Unicode's punctuation, as in MLQA (Lewis et al. 2020),
  and the spaces between characters of scripts that need none.
"""

from __future__ import annotations

import math
import re
import string
import unicodedata
from collections.abc import Callable, Sequence

from rag_eval.score.words import MARKS, UNSPACED, folded, is_elsewhere

_DROP_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(rf"\b(a|an|the)\b(?![{MARKS}])")
_GAP = re.compile(f" (?=[{UNSPACED}])(?<=[{UNSPACED}{MARKS}] )")

Form = Callable[[str], str]


def normalize(text: str) -> str:
    """Text as SQuAD compares it: lower case, no ASCII punctuation, no a/an/the, single spaces, in that order.

    NFC comes before all of it, so that composed and decomposed spellings of one text are equal. Only a blank text comes out
    empty: what is nothing without articles keeps them, and what is nothing without punctuation keeps that.
    """
    return next((left for form in _FORMS if (left := form(text))), "")


def in_form_of(gold: str, prediction: str) -> tuple[str, str]:
    """A prediction and a gold answer in the strongest form that leaves something of the gold answer."""
    form, left = next(((form, left) for form in _FORMS if (left := form(gold))), (_plain, ""))
    return form(prediction), left


def exact_match(prediction: str, answers: Sequence[str]) -> float:
    """1.0 if the prediction equals an answer in the form of that answer, else 0.0; nan when there are no answers.

    A prediction of which nothing is left in that form is wrong.
    """
    return max((float(_is_equal(prediction, gold)) for gold in answers), default=math.nan)


def _is_equal(prediction: str, gold: str) -> bool:
    said, wanted = in_form_of(gold, prediction)
    return said != "" and said == wanted


def without_articles(text: str) -> str:
    """SQuAD's normal form, which may be empty."""
    return " ".join(_ARTICLES.sub(" ", without_punctuation(text)).split())


def without_punctuation(text: str) -> str:
    """The same with a, an and the."""
    plain = folded(text).translate(_DROP_PUNCTUATION)
    if not plain.isascii() and is_elsewhere(plain):
        plain = "".join(one for one in plain if one.isascii() or not unicodedata.category(one).startswith("P"))
    return _joined(plain)


def _plain(text: str) -> str:
    return _joined(folded(text))


def _joined(text: str) -> str:
    """Single spaces, and none where the script needs none."""
    spaced = " ".join(text.split())
    return spaced if spaced.isascii() else _GAP.sub("", spaced)


_FORMS: tuple[Form, ...] = (without_articles, without_punctuation, _plain)  # the strongest first
