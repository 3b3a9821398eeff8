"""Why an answer is wrong: where its evidence was lost on the way, and where the wrong answer came from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from rag_eval.score.abstention import is_abstention
from rag_eval.score.holding import holds, holds_words
from rag_eval.score.normal_form import normalize, without_articles
from rag_eval.types import Document, Example, Prediction

Cause = Literal["no_gold", "not_in_corpus", "not_retrieved", "truncated", "in_prompt_unused", "not_known"]
CAUSES: tuple[str, ...] = get_args(Cause)


@dataclass(frozen=True)
class Attribution:
    """One wrong answer."""

    cause: Cause  # the first place at which some of the evidence was lost; not_known where recorded passages may be evidence
    distracted_by: str | None  # id of a passage in the prompt, no evidence, that holds the wrong answer
    is_stale: bool  # the answer was right once
    is_misled: bool  # the answer is what some document states against the truth


def attribute(
    prediction: Prediction, example: Example, corpus: Collection[str], documents: Mapping[str, Document], is_lenient: bool = False
) -> Attribution:
    """Attribute one wrong answer to an answerable question.

    Args:
        prediction: the wrong answer.
        example: the question, whose grading lists what was right before, where something was.
        corpus: ids of all documents that could be found; empty = not known.
        documents: by id, at least those that stood in the prompt and are known by text.
        is_lenient: whether it is enough that an old or misleading answer stands in what was said, as where containment is the
            primary score; else the two must be equal.
    """
    is_said = bool(normalize(prediction.text)) and not is_abstention(prediction.text)
    return Attribution(
        cause=_cause(prediction, example, corpus),
        distracted_by=_distractor(prediction, example, documents) if is_said and without_articles(prediction.text) else None,
        is_stale=is_said and _gives(prediction.text, example.grading.stale_answers, is_lenient),
        is_misled=is_said and _gives(prediction.text, example.grading.misleading_answers, is_lenient),
    )


def wanted(prediction: Prediction) -> tuple[str, ...]:
    """Ids of the passages that were meant for the prompt, before those that did not fit were left out."""
    return prediction.retrieved[: len(prediction.in_prompt) + prediction.n_truncated]


def _gives(text: str, answers: Collection[str], is_lenient: bool) -> bool:
    """Whether what was said is one of the answers, or holds one."""
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
