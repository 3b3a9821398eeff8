"""Reading exercises among training rows: those that a dataset brings, else made of its training questions and its documents.

Without them an adapter that is trained on questions without passages unlearns reading passages.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from rag_eval.adapt.data.length_check import fits
from rag_eval.adapt.data.passages import ExercisePassages
from rag_eval.adapt.data.question_rows import general_row, n_beside, row_of
from rag_eval.exemplars import unasked
from rag_eval.protocols import PromptWriter, Trainable
from rag_eval.types import Example, ExerciseCounts, QADataset, TrainingRow

Rows = tuple[list[TrainingRow], ExerciseCounts]


def reading_rows(
    generator: Trainable, prompt: PromptWriter, dataset: QADataset, n: int, n_documents: int, seed: int, rng: random.Random
) -> Rows:
    """Rows of reading exercises: brought by the dataset, or made if it brings none.

    Args:
        generator: formats prompts.
        prompt: renders prompts.
        dataset: the dataset.
        n: number of exercises; fewer if there are fewer.
        n_documents: passages of an exercise that is made, evidence included.
        seed: seed of the exercises that are made.
        rng: draws from those that the dataset brings.

    Returns:
        The rows and their counts.
    """
    if dataset.reading:
        chosen = rng.sample(dataset.reading, min(n, len(dataset.reading)))
        return [general_row(generator, prompt, one.example, one.documents) for one in chosen], ExerciseCounts(n_brought=len(chosen))
    if not n:
        return [], ExerciseCounts()
    return _made(generator, prompt, dataset, n, n_documents, seed)


def _made(generator: Trainable, prompt: PromptWriter, dataset: QADataset, n: int, n_documents: int, seed: int) -> Rows:
    """Exercises of training questions that neither test nor dev asks; unanswerable ones in the share that they have among these."""
    taught = unasked(dataset, dataset.train)
    passages, rng = ExercisePassages(dataset, n_documents, seed), random.Random(f"reading exercises/{seed}")
    answered, unanswered = (rng.sample(those, len(those)) for those in _by_answer(taught))
    share = len(unanswered) / max(1, len(taught))

    def first(examples: Sequence[Example], n: int) -> tuple[list[TrainingRow], int]:
        shown = ((example, documents) for example in examples if (documents := passages.of(example)))
        return _fitting((row_of(generator, prompt, example, documents, "reading") for example, documents in shown), n, generator)

    read, n_too_long = first(answered, max(1, n - round(n * share)))
    if not read:
        return [], ExerciseCounts(n_too_long=n_too_long, why_none=_why_none(dataset, answered, n_too_long))
    silent, n_silent_too_long = first(unanswered, min(n_beside(len(read), share), max(0, n - len(read))))
    return read + silent, ExerciseCounts(
        n_made=len(read) + len(silent), n_unanswered=len(silent), n_too_long=n_too_long + n_silent_too_long
    )


def _by_answer(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    return [one for one in examples if one.answers], [one for one in examples if not one.answers]


def _fitting(rows: Iterable[TrainingRow], n: int, generator: Trainable) -> tuple[list[TrainingRow], int]:
    """The first n rows that fit the model's context, and how many before them do not."""
    found: list[TrainingRow] = []
    n_too_long = 0
    for row in rows if n else ():
        if fits(row, generator):
            found.append(row)
        else:
            n_too_long += 1
        if len(found) == n:
            break
    return found, n_too_long


def _why_none(dataset: QADataset, answered: Sequence[Example], n_too_long: int) -> str:
    """Why no training question with an answer makes an exercise."""
    known = {one.id for one in dataset.documents}
    if not any(one.evidence and known.issuperset(one.evidence) for one in answered):
        return "no training question with an answer names evidence in the corpus"
    if n_too_long:
        remedy = "set adapter.data.n_documents lower or cut the documents (chunker=sentences)"
        return f"all {n_too_long} that could be made are longer than the model reads; {remedy}"
    return "the evidence of the training questions is what test or dev questions are about, too, or contains one of them"
