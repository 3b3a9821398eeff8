"""Metrics of answer text: exact match, token F1 (reference: evaluate-v2.0.py of SQuAD 2.0), ROUGE-L, containment, abstention."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from rag_eval.score.comparators import compare
from rag_eval.score.containing import contains_answer
from rag_eval.score.frames import extracted
from rag_eval.score.holding import holds_words
from rag_eval.score.metric import Declaration, declares
from rag_eval.text.normalize import in_form_of
from rag_eval.text.words import length, segments, words
from rag_eval.types import Example, Prediction


def token_f1(prediction: str, answers: Sequence[str]) -> float:
    """Token F1 of SQuAD: harmonic mean of token precision and recall, maximum over the gold answers.

    Tokens are counted with multiplicity. They are the words of SQuAD's normal form; in scripts without spaces between words
    each character is a token (words.py).

    Args:
        prediction: answer of the system.
        answers: gold answers.

    Returns:
        A number in [0, 1]; nan if `answers` is empty.
    """
    return max((_f1(*_tokens(prediction, gold)) for gold in answers), default=math.nan)


def token_recall(prediction: str, answers: Sequence[str]) -> float:
    """Share of the tokens of a gold answer that the prediction contains, maximum over the gold answers.

    Tokens are counted with multiplicity. The score does not decrease when a prediction gets longer, so read it together with
    `token_f1`.

    Args:
        prediction: answer of the system.
        answers: gold answers.

    Returns:
        A number in [0, 1]; nan if `answers` is empty.
    """
    return max((_recall(*_tokens(prediction, gold)) for gold in answers), default=math.nan)


def subsequence_f1(prediction: str, answers: Sequence[str]) -> float:
    """ROUGE-L F1 (Lin 2004, beta = 1) over the whole text, maximum over the gold answers.

    2 * LCS / (n_prediction + n_gold), with LCS the length of the longest common subsequence of words; the same as `rougeL` of
    Google's rouge_score without stemming for English. Words are runs of letters and digits in lower case, in every script
    (words.py), whereas rouge_score keeps only ASCII.

    Args:
        prediction: answer of the system.
        answers: gold answers. One without any word ("+") is compared by the tokens of `token_f1`.

    Returns:
        A number in [0, 1]; nan if `answers` is empty.
    """
    said = words(prediction)
    pairs = ((said, gold) if (gold := words(answer)) else _tokens(prediction, answer) for answer in answers)
    return max((2 * _common_subsequence(one, gold) / max(1, len(one) + len(gold)) for one, gold in pairs), default=math.nan)


def containment(prediction: str, answers: Sequence[str]) -> float:
    """1.0 if the words of a gold answer occur contiguously in a text, else 0.0; nan if `answers` is empty.

    There is no limit on the length of the text and no comparison by type, so this is for passages; `contains` is the metric for
    the answers of a system.

    Args:
        prediction: text to search.
        answers: gold answers.

    Returns:
        0.0, 1.0 or nan.
    """
    return max((float(holds_words(prediction, gold)) for gold in answers), default=math.nan)


def answer_text(prediction: Prediction) -> str:
    """Text of the answer; "" if the outcome is an error."""
    return "" if prediction.outcome == "error" else prediction.text


@declares(Declaration(label="exact match", asks="form", tells_right=True, is_column=True))
def em(prediction: Prediction, example: Example) -> float:
    """Exact match by the question's comparator (`Grading.comparator`, default `exact`).

    Args:
        prediction: answer of the system.
        example: the question with its gold answers.

    Returns:
        0.0 or 1.0; 0.0 for an error; nan for an unanswerable question, which `abstained` scores.
    """
    return compare(answer_text(prediction), example)


@declares(Declaration(label="exact match, extracted", asks="form", tells_right=True))
def em_extracted(prediction: Prediction, example: Example) -> float:
    """`em` of the answer or of the answer extracted from its frame (frames.py), whichever is higher."""
    text = answer_text(prediction)
    return compare(text, example) or compare(extracted(text), example)


@declares(Declaration(label="F1", asks="words", is_column=True))
def f1(prediction: Prediction, example: Example) -> float:
    """Token F1; 0 for an error, nan for an unanswerable question."""
    return token_f1(answer_text(prediction), example.answers)


@declares(Declaration(label="F1, extracted", asks="words"))
def f1_extracted(prediction: Prediction, example: Example) -> float:
    """`f1` of the answer or of the answer extracted from its frame (frames.py), whichever is higher."""
    score = f1(prediction, example)
    return max(score, token_f1(extracted(answer_text(prediction)), example.answers)) if score < 1 else score


@declares(Declaration(label="token recall", asks="words"))
def recall(prediction: Prediction, example: Example) -> float:
    """Token recall; 0 for an error, nan for an unanswerable question."""
    return token_recall(answer_text(prediction), example.answers)


@declares(Declaration(label="ROUGE-L", asks="words"))
def rouge_l(prediction: Prediction, example: Example) -> float:
    """ROUGE-L by subsequence_f1; 0 for an error, nan for an unanswerable question."""
    return subsequence_f1(answer_text(prediction), example.answers)


@declares(Declaration(label="contains", asks="content", tells_right=True, is_column=True))
def contains(prediction: Prediction, example: Example) -> float:
    """1.0 if a short answer contains a gold answer (containing.py), else 0.0; 0.0 for an error, nan for an unanswerable question."""
    return contains_answer(answer_text(prediction), example)


@declares(
    Declaration("abstain", "answerable", "says unknown when answerable", better="lower", gold_scores_1=False),
    Declaration(*("abstain", "unanswerable", "says unknown when unanswerable"), judges="unanswerable", gold_scores_1=False, is_column=True),
)
def abstained(prediction: Prediction, example: Example) -> float:
    """1.0 if the system abstained, else 0.0. Higher is better for unanswerable questions, lower for answerable ones."""
    return float(prediction.outcome == "abstained")


@declares(Declaration(label="words per answer", better="lower", high=None, gold_scores_1=False))
def n_words(prediction: Prediction, example: Example) -> float:
    """Length of the answer in whitespace-separated words, two characters of a script without spaces counting as one; nan for an error."""
    return math.nan if prediction.outcome == "error" else length(prediction.text)


def _f1(said: Sequence[str], gold: Sequence[str]) -> float:
    n_same = (Counter(said) & Counter(gold)).total()
    return 2 * n_same / (len(said) + len(gold)) if n_same else 0.0


def _recall(said: Sequence[str], gold: Sequence[str]) -> float:
    return (Counter(said) & Counter(gold)).total() / len(gold) if gold else 0.0


def _tokens(prediction: str, gold: str) -> tuple[list[str], list[str]]:
    said, wanted = in_form_of(gold, prediction)
    return segments(said), segments(wanted)


def _common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common subsequence, by the bit-parallel algorithm of Hyyrö (2004)."""
    places: dict[str, int] = {}
    for at, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << at
    everywhere = (1 << len(one)) - 1
    row = everywhere
    for word in other:
        same = row & places.get(word, 0)
        row = ((row + same) | (row - same)) & everywhere
    return len(one) - row.bit_count()
