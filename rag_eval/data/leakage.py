"""What the questions asked share with the training questions, and with the documents.

Strata as Lewis, Stenetorp and Riedel (2021, arXiv 2008.02637) have them, with near duplicates as duplicates.py finds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rag_eval.data.duplicates import alike
from rag_eval.data.wording import wording
from rag_eval.errors import DataError
from rag_eval.score.normal_form import normalize
from rag_eval.score.quotation import quotations
from rag_eval.types import Example, QADataset

Stratum = Literal["question", "answer", "none"]


@dataclass(frozen=True)
class Overlap:
    """Which of the questions asked share what, by their ids. Without training questions all but `quoted` is empty."""

    asked: tuple[str, ...]
    is_trained: bool  # whether there are training questions to share anything with
    same: Mapping[str, str]  # the training question that is the same word for word
    near: Mapping[str, str]  # of the others: the training question that is most like it
    answers: frozenset[str]  # some gold answer is a training question's
    evidence: frozenset[str]  # some evidence is a training question's, by its id or its text
    near_evidence: frozenset[str]  # of the others: some evidence is a near duplicate of a training question's
    quoted: Mapping[str, str]  # the document in which the question stands word for word

    @property
    def strata(self) -> dict[str, Stratum]:
        """What each question shares: itself, or else an answer, or neither; nothing where there are no training questions."""
        return {id: self._stratum(id) for id in self.asked} if self.is_trained else {}

    def counts(self) -> dict[str, int | None]:
        """How many of the questions share what; None where there are no training questions to share it with."""
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
    """Refuse questions that stand in train and in test or dev, unless that is allowed by name ("questions"), and others that do.

    Raises:
        DataError: with how many there are, the first pairs, and what to do.
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
    """What the questions that are asked share with training questions and documents."""
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
    """Documents that are a training question's evidence, by their id or their text; and of the others, near duplicates of such."""
    taught = {id for example in dataset.train for id in example.evidence}
    wanted = {id for example in questions for id in example.evidence} - taught if taught else set()
    asked = wanted | taught if wanted else set()
    texts = {one.id: normalize(one.text) for one in dataset.documents if one.id in asked}
    same, near = alike(*({id: text for id, text in texts.items() if id in those and text} for those in (wanted, taught)))
    return frozenset((*taught, *same)), frozenset(near)


def _quoted(dataset: QADataset, questions: Sequence[Example]) -> dict[str, str]:
    """The first document in which each question of N_QUOTED words or more stands word for word."""
    found: dict[str, str] = {}
    for document, question in quotations({one.id: one.text for one in dataset.documents}, {one.id: one.question for one in questions}):
        found.setdefault(question, document)
    return found
