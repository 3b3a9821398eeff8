"""Counts that describe what a dataset gives to training and to retrieval, and the overlap of its splits, for reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rag_eval.parts import Spelling
from rag_eval.score.normal_form import normalize
from rag_eval.types import Example, QADataset

N_GRAM = 8  # length in words of the n-grams compared between questions
FEW_DISTRACTORS = 10  # below this number of documents besides the evidence, retrieval is trivial


def audit(dataset: QADataset, questions: Sequence[Example]) -> dict[str, Any]:
    """Count facts, distractors and overlaps of the evaluated questions.

    Args:
        dataset: the dataset.
        questions: the evaluated questions.

    Returns:
        n_documents: documents in the corpus.
        n_distractors_min: documents that are no evidence, for the question with most evidence; None without evidence or corpus.
        n_facts: answerable questions.
        n_facts_in_corpus: answerable questions with all evidence in the corpus; None if evidence or corpus is unknown.
        n_facts_in_training: answerable questions with a training question of the same cluster and the same answer.
        n_shared_8_grams: questions that share eight consecutive words with a training question.
        n_before_training: questions whose date (`as_of`) is earlier than the latest date of a training question.
    """
    asked = [example for example in questions if example.is_answerable]
    known = {document.id for document in dataset.documents}
    having = [example for example in asked if example.evidence and known]
    taught = {fact for example in dataset.train for fact in _facts(example)}
    grams = {gram for example in dataset.train for gram in _grams(example.question)}
    latest = max((example.grading.as_of for example in dataset.train), default="")
    return {
        "n_documents": len(dataset.documents),
        "n_distractors_min": min((len(known.difference(example.holders, example.grading.itself)) for example in having), default=None),
        "n_facts": len(asked),
        "n_facts_in_corpus": sum(known.issuperset(example.evidence) for example in having) if having else None,
        "n_facts_in_training": sum(not taught.isdisjoint(_facts(example)) for example in asked),
        "n_shared_8_grams": sum(not grams.isdisjoint(_grams(example.question)) for example in questions),
        "n_before_training": sum("" < example.grading.as_of < latest for example in questions),
    }


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
