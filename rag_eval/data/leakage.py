"""Overlap of the evaluated questions with the training questions and the documents.

Strata follow Lewis, Stenetorp and Riedel (2021, arXiv 2008.02637), with near duplicates as defined in near_duplicates.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rag_eval.data.same_question import wording
from rag_eval.errors import DataError
from rag_eval.text.near_duplicates import alike
from rag_eval.text.normalize import normalize
from rag_eval.text.quotation import quotations
from rag_eval.types import Example, QADataset

Stratum = Literal["question", "answer", "none"]


@dataclass(frozen=True)
class Overlap:
    """Overlap of each evaluated question, by id. Without training questions all but `quoted` is empty."""

    asked: tuple[str, ...]
    is_trained: bool  # whether there are training questions
    same: Mapping[str, str]  # the training question with the same wording
    near: Mapping[str, str]  # without those of `same`: the most similar near-duplicate training question
    answers: frozenset[str]  # questions that share a gold answer with a training question
    evidence: frozenset[str]  # questions that share evidence with a training question, by id or text
    near_evidence: frozenset[str]  # without those of `evidence`: some evidence is a near duplicate of a training question's
    quoted: Mapping[str, str]  # the document that contains the question verbatim

    @property
    def strata(self) -> dict[str, Stratum]:
        """Stratum of each question: shares the question, else an answer, else nothing; {} without training questions."""
        return {id: self._stratum(id) for id in self.asked} if self.is_trained else {}

    def counts(self) -> dict[str, int | None]:
        """Number of questions per kind of overlap; None (except for quotations) without training questions."""
        shared = {
            "n_same_questions": self.same,
            "n_near_questions": self.near,
            "n_shared_answers": self.answers,
            "n_shared_evidence": self.evidence,
            "n_near_evidence": self.near_evidence,
        }
        counted = {name: len(found) if self.is_trained else None for name, found in shared.items()}
        return {**counted, "n_quoted_questions": len(self.quoted)}

    def _stratum(self, id: str) -> Stratum:
        if id in self.same or id in self.near:
            return "question"
        return "answer" if id in self.answers else "none"


def check_splits(dataset: QADataset, allowed: Sequence[str]) -> None:
    """Check that no test or dev question occurs verbatim in train or others.

    Args:
        dataset: the dataset.
        allowed: kinds of overlap that are accepted; "questions" accepts those with train.

    Raises:
        DataError: with the number of such questions, the first pairs and a remedy.
    """
    taught_ids = {one.id for one in dataset.train}
    shown = [one for one in dataset.others if one.id not in taught_ids] if dataset.others_are_of_source else []
    for part, examples in (("train", dataset.train), ("others", shown)):
        taught = {wording(example): example.id for example in reversed(examples)}  # the first of equal ones stays
        for split, asked in (("test", dataset.test), ("dev", dataset.dev)):
            leaks = [(taught[said], example.id) for example in asked if (said := wording(example)) in taught]
            if not leaks or (part == "train" and "questions" in allowed):
                continue
            pairs = ", ".join(f"{one} = {other}" for one, other in leaks[:5])
            way = (
                "give both one cluster; allow_overlap=[questions] asks them all the same and scores them apart, as strata/overlap/question"
            )
            raise DataError(
                f"{dataset.name}: leak: {len(leaks)} of {len(asked)} questions of {split} stand in {part} word for word "
                f"({part} = {split}: {pairs}). Remove them from one{f', or {way}' if part == 'train' else ''}."
            )


def overlap(dataset: QADataset, questions: Sequence[Example]) -> Overlap:
    """Overlap of the evaluated questions with training questions and documents."""
    same, near = alike({one.id: wording(one) for one in questions}, {one.id: wording(one) for one in dataset.train})
    taught = {normalize(answer) for example in dataset.train for answer in example.answers}
    known, nearly = _evidence(dataset, questions)
    return Overlap(
        asked=tuple(example.id for example in questions),
        is_trained=bool(dataset.train),
        same=same,
        near=near,
        answers=frozenset(one.id for one in questions if not taught.isdisjoint(map(normalize, one.answers))),
        evidence=frozenset(one.id for one in questions if not known.isdisjoint(one.evidence)),
        near_evidence=frozenset(one.id for one in questions if known.isdisjoint(one.evidence) and not nearly.isdisjoint(one.evidence)),
        quoted=_quoted(dataset, questions),
    )


def _evidence(dataset: QADataset, questions: Sequence[Example]) -> tuple[frozenset[str], frozenset[str]]:
    """Documents that are evidence of a training question by id or text, and other documents that are near duplicates of such."""
    taught = {id for example in dataset.train for id in example.evidence}
    wanted = {id for example in questions for id in example.evidence} - taught if taught else set()
    asked = wanted | taught if wanted else set()
    texts = {one.id: normalize(one.text) for one in dataset.documents if one.id in asked}
    same, near = alike(*({id: text for id, text in texts.items() if id in those and text} for those in (wanted, taught)))
    return frozenset((*taught, *same)), frozenset(near)


def _quoted(dataset: QADataset, questions: Sequence[Example]) -> dict[str, str]:
    """First document that contains each question of at least `N_QUOTED` words verbatim."""
    found: dict[str, str] = {}
    for document, question in quotations({one.id: one.text for one in dataset.documents}, {one.id: one.question for one in questions}):
        found.setdefault(question, document)
    return found
