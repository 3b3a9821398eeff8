"""Counts that describe what a dataset gives to training and to retrieval, and the overlap of its splits, for reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rag_eval.protocols import Spelling
from rag_eval.text.normalize import normalize
from rag_eval.types import Example, QADataset

N_GRAM = 8  # length in words of the n-grams compared between questions
FEW_DISTRACTORS = 10  # below this number of documents besides the evidence, retrieval is trivial


@dataclass(frozen=True)
class Audit:
    """Counts over the evaluated questions. None = unknown, or not counted by an earlier version."""

    n_documents: int  # in the corpus
    n_distractors_min: int | None  # documents that are no evidence, of the question with most evidence; None without evidence or corpus
    n_facts: int  # answerable questions
    n_facts_in_corpus: int | None  # of these, with all evidence in the corpus; None where evidence or corpus is not known
    n_facts_in_training: int  # of these, with a fact that some training question asks, about the same cluster with the same answer
    n_shared_8_grams: int  # questions with eight words in a row that stand in a training question
    n_before_training: int  # questions about a date (`as_of`) that is earlier than the latest of a training question
    n_documents_with_control_tokens: int | None = None  # None = no control token of the model is known
    n_questions_with_control_tokens: int | None = None
    # What the questions share with training questions (see data/leakage.py); None = there are none to share it with.
    n_same_questions: int | None = None
    n_near_questions: int | None = None
    n_shared_answers: int | None = None
    n_shared_evidence: int | None = None
    n_near_evidence: int | None = None
    n_quoted_questions: int | None = None  # questions that stand word for word in a document


def audit(dataset: QADataset, questions: Sequence[Example]) -> Audit:
    """Count facts, distractors and shared n-grams of the evaluated questions.

    Args:
        dataset: the dataset.
        questions: the evaluated questions.

    Returns:
        The counts, without those of the overlap with training questions (data/leakage.py).
    """
    asked = [example for example in questions if example.is_answerable]
    known = {document.id for document in dataset.documents}
    having = [example for example in asked if example.evidence and known]
    taught = {fact for example in dataset.train for fact in _facts(example)}
    grams = {gram for example in dataset.train for gram in _grams(example.question)}
    latest = max((example.grading.as_of for example in dataset.train), default="")
    return Audit(
        n_documents=len(dataset.documents),
        n_distractors_min=min((len(known.difference(example.holders, example.grading.itself)) for example in having), default=None),
        n_facts=len(asked),
        n_facts_in_corpus=sum(known.issuperset(example.evidence) for example in having) if having else None,
        n_facts_in_training=sum(not taught.isdisjoint(_facts(example)) for example in asked),
        n_shared_8_grams=sum(not grams.isdisjoint(_grams(example.question)) for example in questions),
        n_before_training=sum("" < example.grading.as_of < latest for example in questions),
    )


def spelled(generator: Any, dataset: QADataset, questions: Sequence[Example]) -> dict[str, int]:
    """Count documents and questions that contain the text of a control token of the model.

    Args:
        generator: used if it implements `Spelling`.
        dataset: the dataset with its documents.
        questions: the evaluated questions; earlier turns are included.

    Returns:
        n_documents_with_control_tokens and n_questions_with_control_tokens; {} if the generator has no known control tokens.
    """
    if not isinstance(generator, Spelling):
        return {}
    asked = ([one.question, *(text for turn in one.history for text in (turn.question, turn.answer))] for one in questions)
    shown = ([one.title, one.text] for one in dataset.documents)
    return {
        f"n_{what}_with_control_tokens": sum(any(map(generator.spells_control, texts)) for texts in those)
        for what, those in (("documents", shown), ("questions", asked))
    }


def _facts(example: Example) -> Iterator[tuple[str, str]]:
    return ((example.cluster, normalize(answer)) for answer in example.answers)


def _grams(question: str) -> Iterator[tuple[str, ...]]:
    words = normalize(question).split()
    return (tuple(words[at : at + N_GRAM]) for at in range(len(words) - N_GRAM + 1))
