"""Is an answer right? SQuAD's measures (reference: evaluate-v2.0.py of SQuAD 2.0), ROUGE-L, containment and abstention."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from rag_eval.score.comparators import compare
from rag_eval.score.normal_form import normalize
from rag_eval.types import ABSTENTION, Example, Prediction

_NO_WORD = re.compile(r"[\W_]+")

# Ways to say that the answer is not known, and nothing else; normalised.
REFUSALS = frozenset(
    {
        ABSTENTION,
        *("answer is unknown", "answer is not known", "not known", "unanswerable", "no answer", "na"),
        *("i dont know", "i do not know", "dont know", "do not know", "it is not known", "it is unknown", "this is not known"),
        *("not stated", "not mentioned", "not specified", "insufficient information", "not enough information", "no information"),
        *("cannot be determined", "cannot be answered", "i cannot answer", "i cannot answer this question", "i dont know answer"),
        *("documents do not say", "context does not say", "documents do not contain answer", "context does not contain answer"),
    }
)


def token_f1(prediction: str, answers: Sequence[str]) -> float:
    """Harmonic mean of token precision and recall, tokens counted as often as they occur, against the closest answer.

    Returns:
        A number in [0, 1]; nan when there are no answers.
    """
    said = normalize(prediction).split()
    return max((_f1(said, normalize(gold).split()) for gold in answers), default=math.nan)


def token_recall(prediction: str, answers: Sequence[str]) -> float:
    """Share of the tokens of an answer that the prediction holds, counted as often as they occur, for the best answer.

    It never falls when a prediction grows, so it is read beside token_f1.

    Returns:
        A number in [0, 1]; nan when there are no answers.
    """
    said = Counter(normalize(prediction).split())
    return max((_recall(said, Counter(normalize(gold).split())) for gold in answers), default=math.nan)


def subsequence_f1(prediction: str, answers: Sequence[str]) -> float:
    """Harmonic mean of the shares that the longest common subsequence of words has in prediction and answer; best answer.

    ROUGE-L of Lin 2004 with beta = 1 over the whole text, as Google's rouge_score computes `rougeL` without stemming. Words
    are runs of letters and digits in lower case; unlike there, those of every script, so that no language scores 0.

    Returns:
        A number in [0, 1]; nan when no answer has a word.
    """
    said = _words(prediction)
    golds = [words for words in map(_words, answers) if words]
    return max((2 * _common_subsequence(said, gold) / (len(said) + len(gold)) for gold in golds), default=math.nan)


def containment(prediction: str, answers: Sequence[str]) -> float:
    """1.0 if the words of an answer stand in the prediction, all and in a row, else 0.0; nan when there are no answers.

    It rewards long answers that list everything, so it never decides a comparison alone.
    """
    said = f" {normalize(prediction)} "
    return max((float(bool(gold) and f" {gold} " in said) for gold in map(normalize, answers)), default=math.nan)


def is_abstention(text: str) -> bool:
    """Whether the text says that the answer is not known, and nothing else: one of REFUSALS after normalisation."""
    return normalize(text) in REFUSALS


def answer_text(prediction: Prediction) -> str:
    """What was answered; "" for an error, whatever it left behind."""
    return "" if prediction.outcome == "error" else prediction.text


def em(prediction: Prediction, example: Example) -> float:
    """Equality by the comparator that `example.meta["comparator"]` names, else exact match.

    0 for an error, nan for an unanswerable question, which is scored by whether the system abstains.
    """
    return compare(answer_text(prediction), example)


def f1(prediction: Prediction, example: Example) -> float:
    """Token F1; 0 for an error, nan for an unanswerable question."""
    return token_f1(answer_text(prediction), example.answers)


def recall(prediction: Prediction, example: Example) -> float:
    """Token recall; 0 for an error, nan for an unanswerable question."""
    return token_recall(answer_text(prediction), example.answers)


def rouge_l(prediction: Prediction, example: Example) -> float:
    """ROUGE-L by subsequence_f1; 0 for an error, nan for an unanswerable question."""
    return subsequence_f1(answer_text(prediction), example.answers)


def contains(prediction: Prediction, example: Example) -> float:
    """Containment; 0 for an error, nan for an unanswerable question."""
    return containment(answer_text(prediction), example.answers)


def abstained(prediction: Prediction, example: Example) -> float:
    """1.0 if the system said that it does not know, else 0.0: right for unanswerable questions, wrong for the others."""
    return float(prediction.outcome == "abstained")


def _f1(said: Sequence[str], gold: Sequence[str]) -> float:
    n_same = (Counter(said) & Counter(gold)).total()
    return 2 * n_same / (len(said) + len(gold)) if n_same else 0.0


def _recall(said: Counter[str], gold: Counter[str]) -> float:
    return (said & gold).total() / gold.total() if gold else 0.0


def _words(text: str) -> list[str]:
    return _NO_WORD.sub(" ", unicodedata.normalize("NFC", text).lower()).split()


def _common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common subsequence, a row of the table at a time as the bits of a number (Hyyrö 2004)."""
    places: dict[str, int] = {}
    for at, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << at
    everywhere = (1 << len(one)) - 1
    row = everywhere
    for word in other:
        same = row & places.get(word, 0)
        row = ((row + same) | (row - same)) & everywhere
    return len(one) - row.bit_count()
