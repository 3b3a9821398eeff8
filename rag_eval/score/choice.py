"""Multiple choice: the option that a model finds likeliest, in the three ways in use, or the option that it names.

The likeliest option is right if it is a gold answer. Of options that tie for it one is drawn, so the score is the share of
them that is right. nan where likelihoods were not measured, where a question has no choices or no answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from rag_eval.score.answer import answer_text
from rag_eval.score.comparators import choice, gold_options
from rag_eval.score.metric import Declaration, declares
from rag_eval.types import Example, Likelihood, Prediction


@declares(Declaration(label="likeliest option"))
def choice_sum(prediction: Prediction, example: Example) -> float:
    """By log P(option | prompt), as `acc` of lm-evaluation-harness (Gao et al. 2021)."""
    return _credit(prediction, example, lambda one: one.log_p)


@declares(Declaration(label="likeliest option, per byte"))
def choice_per_byte(prediction: Prediction, example: Example) -> float:
    """By log P(option | prompt) per byte of the option in UTF-8, so that long options are not at a loss.

    `acc_bytes` of lm-evaluation-harness; its `acc_norm` divides by characters, the same in ASCII.
    """
    return _credit(prediction, example, lambda one: one.log_p / len(one.option.encode()))


@declares(Declaration(label="likeliest option, with prompt"))
def choice_joint(prediction: Prediction, example: Example) -> float:
    """By log P(prompt and option), as Ovadia et al. 2023 (arXiv 2312.05934) rank the whole text."""
    return _credit(prediction, example, lambda one: one.log_p_joint)


@declares(Declaration(label="option named", asks="form", tells_right=True))
def choice_text(prediction: Prediction, example: Example) -> float:
    """By the option that the answer names, in its text or its letter; 0 for an error."""
    return choice(answer_text(prediction), example) if example.grading.choices else math.nan


def _credit(prediction: Prediction, example: Example, worth: Callable[[Likelihood], float]) -> float:
    """The share of the options of greatest worth that is right.

    Raises:
        ValueError: if the likelihoods are not of the choices, in their order, or one is nan.
    """
    choices = example.grading.choices
    right = gold_options(example) if choices else frozenset()
    if right and prediction.outcome == "error":
        return 0.0
    if not right or not prediction.likelihoods:
        return math.nan
    measured = tuple(one.option for one in prediction.likelihoods)
    if measured != example.grading.choices:
        raise ValueError(
            f"{example.id}: likelihoods must be of the choices {example.grading.choices}, in their order, but are of {measured}."
        )
    worths = [worth(one) for one in prediction.likelihoods]
    if any(map(math.isnan, worths)):
        raise ValueError(f"{example.id}: the likelihood of an option is nan.")
    best = {at for at, one in enumerate(worths) if one == max(worths)}
    return len(best & right) / len(best)
