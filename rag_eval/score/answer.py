"""Is an answer right? SQuAD's measures (reference: evaluate-v2.0.py of SQuAD 2.0), containment and abstention."""

from __future__ import annotations

import math
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence

from rag_eval.types import ABSTENTION, Example, Prediction

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


def token_f1(prediction: str, answers: Sequence[str]) -> float:
    """Harmonic mean of token precision and recall, tokens counted as often as they occur, against the closest answer.

    Returns:
        A number in [0, 1]; nan when there are no answers.
    """
    said = normalize(prediction).split()
    return max((_f1(said, normalize(gold).split()) for gold in answers), default=math.nan)


def containment(prediction: str, answers: Sequence[str]) -> float:
    """1.0 if the words of an answer stand in the prediction, all and in a row, else 0.0; nan when there are no answers.

    It rewards long answers that list everything, so it never decides a comparison alone.
    """
    said = f" {normalize(prediction)} "
    return max((float(bool(gold) and f" {gold} " in said) for gold in map(normalize, answers)), default=math.nan)


def is_abstention(text: str) -> bool:
    """Whether the text says that the answer is not known, and nothing else."""
    return normalize(text) == ABSTENTION


def em(prediction: Prediction, example: Example) -> float:
    """Exact match; 0 for an error, nan for an unanswerable question, which is scored by whether the system abstains."""
    return exact_match(_text(prediction), example.answers)


def f1(prediction: Prediction, example: Example) -> float:
    """Token F1; 0 for an error, nan for an unanswerable question."""
    return token_f1(_text(prediction), example.answers)


def contains(prediction: Prediction, example: Example) -> float:
    """Containment; 0 for an error, nan for an unanswerable question."""
    return containment(_text(prediction), example.answers)


def abstained(prediction: Prediction, example: Example) -> float:
    """1.0 if the system said that it does not know, else 0.0: right for unanswerable questions, wrong for the others."""
    return float(prediction.outcome == "abstained")


def _text(prediction: Prediction) -> str:
    return "" if prediction.outcome == "error" else prediction.text


def _f1(said: Sequence[str], gold: Sequence[str]) -> float:
    n_same = (Counter(said) & Counter(gold)).total()
    return 2 * n_same / (len(said) + len(gold)) if n_same else 0.0
