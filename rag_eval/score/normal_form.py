"""The form in which SQuAD compares texts (reference: evaluate-v2.0.py of SQuAD 2.0), and equality in it."""

from __future__ import annotations

import math
import re
import string
import unicodedata
from collections.abc import Sequence

_DROP_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalize(text: str) -> str:
    """Text as SQuAD compares it: lower case, no ASCII punctuation, no a/an/the, single spaces, in that order.

    NFC comes before all of it, so that composed and decomposed spellings of one text are equal.
    """
    plain = unicodedata.normalize("NFC", text).lower().translate(_DROP_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", plain).split())


def exact_match(prediction: str, answers: Sequence[str]) -> float:
    """1.0 if the prediction equals an answer after normalisation, else 0.0; nan when there are no answers.

    A prediction that normalises to nothing is always wrong.
    """
    said = normalize(prediction)
    return max((float(said != "" and said == normalize(gold)) for gold in answers), default=math.nan)
