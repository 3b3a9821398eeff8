"""Multiple-choice metrics: accuracy of the option with the highest likelihood, or of the option named in the answer text.

The prediction is right if the option with the highest likelihood is a gold answer. If several options tie, the score is the
share of them that is right. nan if likelihoods were not measured, or the question has no choices or no gold answer.
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
    """Rank options by log P(option | prompt), like `acc` of lm-evaluation-harness (Gao et al. 2021)."""
    return _credit(prediction, example, lambda one: one.log_p)


@declares(Declaration(label="likeliest option, per byte"))
def choice_per_byte(prediction: Prediction, example: Example) -> float:
    """Rank options by log P(option | prompt) per UTF-8 byte of the option, a normalisation by length.

    Like `acc_bytes` of lm-evaluation-harness; its `acc_norm` divides by characters, which is the same for ASCII.

    Args:
        prediction: answer with likelihoods of the options, in natural logarithms.
        example: the question with its choices.

    Returns:
        A number in [0, 1]; nan as in the module docstring.
    """
    return _credit(prediction, example, lambda one: one.log_p / len(one.option.encode()))


@declares(Declaration(label="likeliest option, with prompt"))
def choice_joint(prediction: Prediction, example: Example) -> float:
    """Rank options by log P(prompt and option), like Ovadia et al. 2023 (arXiv 2312.05934)."""
    return _credit(prediction, example, lambda one: one.log_p_joint)


@declares(Declaration(label="option named", asks="form", tells_right=True))
def choice_text(prediction: Prediction, example: Example) -> float:
    """Accuracy of the option that the answer names by text or letter; 0 for an error, nan for a question without choices."""
    return choice(answer_text(prediction), example) if example.grading.choices else math.nan


def _credit(prediction: Prediction, example: Example, worth: Callable[[Likelihood], float]) -> float:
    """Share of the options with the highest value of `worth` that is right.

    Args:
        prediction: answer with likelihoods of the options.
        example: the question with its choices.
        worth: value by which options are ranked.

    Returns:
        A number in [0, 1]; 0.0 for an error; nan as in the module docstring.

    Raises:
        ValueError: if the likelihoods are not those of the choices in their order, or one is nan.
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
