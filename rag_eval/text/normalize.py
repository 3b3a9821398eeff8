"""SQuAD's normal form of a text (reference: evaluate-v2.0.py of SQuAD 2.0) and exact match.

English is normalised as in the reference. Deviations from it:
- A text that is empty without articles and punctuation ("A", "The The", "+") keeps its articles or, if it has no word, its
  punctuation, so that every gold answer can be matched.
- Text in scripts other than Latin, Greek and Cyrillic loses all Unicode punctuation, as in MLQA (Lewis et al. 2020),
  and the spaces between characters of scripts that are written without spaces.
"""

from __future__ import annotations

import math
import re
import string
import unicodedata
from collections.abc import Callable, Sequence

from rag_eval.text.words import MARKS, UNSPACED, folded, is_elsewhere

_DROP_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(rf"\b(a|an|the)\b(?![{MARKS}])")
_GAP = re.compile(f" (?=[{UNSPACED}])(?<=[{UNSPACED}{MARKS}] )")

Form = Callable[[str], str]


def normalize(text: str) -> str:
    """SQuAD's normalisation: NFC, lower case, no ASCII punctuation, no articles (a, an, the), single spaces, in that order.

    Only a blank text becomes empty: a text that consists of articles keeps them, one that consists of punctuation keeps that.

    Args:
        text: any text.

    Returns:
        The normal form.
    """
    return next((left for form in _FORMS if (left := form(text))), "")


def in_form_of(gold: str, prediction: str) -> tuple[str, str]:
    """Prediction and gold answer in the strongest normal form that does not empty the gold answer."""
    form, left = next(((form, left) for form in _FORMS if (left := form(gold))), (_plain, ""))
    return form(prediction), left


def exact_match(prediction: str, answers: Sequence[str]) -> float:
    """1.0 if the prediction equals a gold answer in the normal form of that answer, else 0.0; nan if `answers` is empty.

    A prediction that is empty in that form scores 0.

    Args:
        prediction: answer of the system.
        answers: gold answers.

    Returns:
        0.0, 1.0 or nan.
    """
    return max((float(_is_equal(prediction, gold)) for gold in answers), default=math.nan)


def _is_equal(prediction: str, gold: str) -> bool:
    said, wanted = in_form_of(gold, prediction)
    return said != "" and said == wanted


def without_articles(text: str) -> str:
    """SQuAD's normal form, which may be empty."""
    return " ".join(_ARTICLES.sub(" ", without_punctuation(text)).split())


def without_punctuation(text: str) -> str:
    """SQuAD's normal form with articles kept."""
    plain = folded(text).translate(_DROP_PUNCTUATION)
    if not plain.isascii() and is_elsewhere(plain):
        plain = "".join(one for one in plain if one.isascii() or not unicodedata.category(one).startswith("P"))
    return _joined(plain)


def _plain(text: str) -> str:
    return _joined(folded(text))


def _joined(text: str) -> str:
    """Text with single spaces, and none between characters of scripts written without spaces."""
    spaced = " ".join(text.split())
    return spaced if spaced.isascii() else _GAP.sub("", spaced)


_FORMS: tuple[Form, ...] = (without_articles, without_punctuation, _plain)  # the strongest first
