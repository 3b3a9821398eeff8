"""Is an answer right? SQuAD's measures (reference: evaluate-v2.0.py of SQuAD 2.0), ROUGE-L, containment and abstention."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from rag_eval.score.comparators import compare
from rag_eval.score.containing import contains_answer
from rag_eval.score.frames import extracted
from rag_eval.score.holding import holds_words
from rag_eval.score.metric import Declaration, declares
from rag_eval.score.normal_form import in_form_of
from rag_eval.score.words import length, segments, words
from rag_eval.types import Example, Prediction


def token_f1(prediction: str, answers: Sequence[str]) -> float:
    """Harmonic mean of token precision and recall, tokens counted as often as they occur, against the closest answer.

    Tokens are the words of SQuAD's normal form; characters of scripts without spaces are tokens each (words.py).

    Returns:
        A number in [0, 1]; nan when there are no answers.
    """
    return max((_f1(*_tokens(prediction, gold)) for gold in answers), default=math.nan)


def token_recall(prediction: str, answers: Sequence[str]) -> float:
    """Share of the tokens of an answer that the prediction holds, counted as often as they occur, for the best answer.

    It never falls when a prediction grows, so it is read beside token_f1.

    Returns:
        A number in [0, 1]; nan when there are no answers.
    """
    return max((_recall(*_tokens(prediction, gold)) for gold in answers), default=math.nan)


def subsequence_f1(prediction: str, answers: Sequence[str]) -> float:
    """Harmonic mean of the shares that the longest common subsequence of words has in prediction and answer; best answer.

    ROUGE-L of Lin 2004 with beta = 1 over the whole text, as Google's rouge_score computes `rougeL` without stemming. Words
    are runs of letters and digits in lower case; unlike there, those of every script (words.py), so that no language scores 0.

    Returns:
        A number in [0, 1]; nan when there are no answers. One without a word ("+") is compared by the tokens of token_f1.
    """
    said = words(prediction)
    pairs = ((said, gold) if (gold := words(answer)) else _tokens(prediction, answer) for answer in answers)
    return max((2 * _common_subsequence(one, gold) / max(1, len(one) + len(gold)) for one, gold in pairs), default=math.nan)


def containment(prediction: str, answers: Sequence[str]) -> float:
    """1.0 if the words of an answer stand in a text, all and in a row, else 0.0; nan when there are no answers.

    However long the text is, and whatever the type of the answer: for passages. `contains` judges what a system said.
    """
    return max((float(holds_words(prediction, gold)) for gold in answers), default=math.nan)


def answer_text(prediction: Prediction) -> str:
    """What was answered; "" for an error, whatever it left behind."""
    return "" if prediction.outcome == "error" else prediction.text


@declares(Declaration(label="exact match", asks="form", tells_right=True, is_column=True))
def em(prediction: Prediction, example: Example) -> float:
    """Equality by the comparator that the question names, which is exact match unless it says otherwise.

    0 for an error, nan for an unanswerable question, which is scored by whether the system abstains.
    """
    return compare(answer_text(prediction), example)


@declares(Declaration(label="exact match, extracted", asks="form", tells_right=True))
def em_extracted(prediction: Prediction, example: Example) -> float:
    """As em, of the answer as it stands or of what its frame holds (frames.py), whichever is right."""
    text = answer_text(prediction)
    return compare(text, example) or compare(extracted(text), example)


@declares(Declaration(label="F1", asks="words", is_column=True))
def f1(prediction: Prediction, example: Example) -> float:
    """Token F1; 0 for an error, nan for an unanswerable question."""
    return token_f1(answer_text(prediction), example.answers)


@declares(Declaration(label="F1, extracted", asks="words"))
def f1_extracted(prediction: Prediction, example: Example) -> float:
    """As f1, of the answer as it stands or of what its frame holds (frames.py), whichever is better."""
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
    """Whether a right answer stands in a short one (containing.py); 0 for an error, nan for an unanswerable question."""
    return contains_answer(answer_text(prediction), example)


@declares(
    Declaration("abstain", "answerable", "says unknown when answerable", better="lower", gold_scores_1=False),
    Declaration(*("abstain", "unanswerable", "says unknown when unanswerable"), judges="unanswerable", gold_scores_1=False, is_column=True),
)
def abstained(prediction: Prediction, example: Example) -> float:
    """1.0 if the system said that it does not know, else 0.0: right for unanswerable questions, wrong for the others."""
    return float(prediction.outcome == "abstained")


@declares(Declaration(label="words per answer", better="lower", high=None, gold_scores_1=False))
def n_words(prediction: Prediction, example: Example) -> float:
    """Words of the answer: what stands between white space, two characters of a script without spaces being one; nan for an error."""
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
