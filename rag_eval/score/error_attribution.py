"""Error attribution: the pipeline stage at which a wrong answer lost its evidence, and the source of the wrong answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from rag_eval.score.holding import holds, holds_words
from rag_eval.text.abstention import is_abstention
from rag_eval.text.normalize import normalize, without_articles
from rag_eval.types import Document, Example, Prediction

Cause = Literal["no_gold", "not_in_corpus", "not_retrieved", "truncated", "in_prompt_unused", "not_known"]
CAUSES: tuple[str, ...] = get_args(Cause)


@dataclass(frozen=True)
class Attribution:
    """Causes of one wrong answer."""

    cause: Cause  # first stage at which some evidence was lost; not_known if recorded passages may be evidence
    distracted_by: str | None  # id of the first passage in the prompt that is no evidence and contains the wrong answer
    is_stale: bool  # the answer matches one of grading.stale_answers
    is_misled: bool  # the answer matches one of grading.misleading_answers


def attribute(
    prediction: Prediction, example: Example, corpus: Collection[str], documents: Mapping[str, Document], is_lenient: bool = False
) -> Attribution:
    """Attribute one wrong answer to an answerable question.

    Args:
        prediction: the wrong answer.
        example: the question; its grading lists stale and misleading answers, if any.
        corpus: ids of all documents that can be retrieved; empty if not known.
        documents: documents by id, at least those in the prompt whose text is known.
        is_lenient: if true, a stale or misleading answer need only be contained in the prediction (for containment as the
            primary score); otherwise the two must be equal after normalisation.

    Returns:
        The cause and the flags of the answer. Empty answers and abstentions are not stale, misled or distracted.
    """
    is_said = bool(normalize(prediction.text)) and not is_abstention(prediction.text)
    return Attribution(
        cause=_cause(prediction, example, corpus),
        distracted_by=_distractor(prediction, example, documents) if is_said and without_articles(prediction.text) else None,
        is_stale=is_said and _gives(prediction.text, example.grading.stale_answers, is_lenient),
        is_misled=is_said and _gives(prediction.text, example.grading.misleading_answers, is_lenient),
    )


def wanted(prediction: Prediction) -> tuple[str, ...]:
    """Ids of the passages selected for the prompt, including those that were dropped because they did not fit."""
    return prediction.retrieved[: len(prediction.in_prompt) + prediction.n_truncated]


def _gives(text: str, answers: Collection[str], is_lenient: bool) -> bool:
    """Whether the text equals one of the answers after normalisation or, if lenient, contains one."""
    return any(holds(text, one) for one in answers) if is_lenient else normalize(text) in set(map(normalize, answers))


def _cause(prediction: Prediction, example: Example, corpus: Collection[str]) -> Cause:
    if not example.evidence:
        return "no_gold"
    if corpus and not set(example.evidence).issubset(corpus):
        return "not_in_corpus"
    if not example.held(wanted(prediction)):
        return "not_retrieved"
    return "in_prompt_unused" if example.held(prediction.in_prompt) else "truncated"


def _distractor(prediction: Prediction, example: Example, documents: Mapping[str, Document]) -> str | None:
    holders = example.holders
    others = (documents[id] for id in prediction.in_prompt if id not in holders and id in documents)
    return next((one.id for one in others if holds_words(f"{one.title} {one.text}", prediction.text)), None)
