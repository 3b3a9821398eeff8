"""Assembly of validated rows into a QADataset. The rows are held in memory by Hugging Face `datasets`; nothing is written to disk."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from datasets import Dataset, Features, List, Value

from rag_eval.data.rows.grading import grading_of
from rag_eval.data.rows.other_entities import about_others, in_their_place
from rag_eval.data.rows.problems import shown
from rag_eval.data.rows.split import Split, Splitting, by_cluster
from rag_eval.data.rows.split_by_question import by_question
from rag_eval.data.rows.validate import CheckedQuestion
from rag_eval.data.rows.visible import is_blank
from rag_eval.errors import DataError
from rag_eval.fingerprint import identified
from rag_eval.types import Document, Example, QADataset, Turn

log = logging.getLogger(__name__)

BY_CLUSTER = Splitting()
TEXT = Value("large_string")
DOCUMENT = Features({"id": TEXT, "title": TEXT, "text": TEXT, "meta": TEXT})
QUESTION = Features(
    {
        "id": TEXT,
        "question": TEXT,
        "answers": List(TEXT),
        "evidence": List(TEXT),
        "cluster": TEXT,
        "split": TEXT,
        "history": List({"question": TEXT, "answer": TEXT}),
        "meta": TEXT,  # JSON: its keys differ from row to row
    }
)


def assemble(
    name: str,
    documents: Sequence[Document] | None,
    questions: Sequence[CheckedQuestion],
    train_share: float,
    seed: int,
    splitting: Splitting = BY_CLUSTER,
) -> QADataset:
    """Split validated rows and check them against each other.

    Args:
        name: name of the dataset.
        documents: the corpus, as `check_documents` returns it; None if there is none.
        questions: all questions, as `check_questions` returns them; questions with a split keep it.
        train_share: share for training, of the clusters or of the questions of each cluster; see split.py.
        seed: seed of the split.
        splitting: unit of the split, and source of the training questions.

    Returns:
        The dataset with its fingerprint.

    Raises:
        DataError: if the corpus or the questions are empty, no question is left for testing, no evidence is in the corpus, or
            the questions cannot be split as requested.
    """
    if documents is not None and all(is_blank(document.text) for document in documents):
        raise DataError(f"{name}: the corpus is empty ({len(documents)} documents, none with text). Give documents with text.")
    if not questions:
        raise DataError(f"{name}: 0 examples. Give at least one question.")
    corpus = _corpus(documents) if documents is not None else ()
    parts = _parts(name, questions, train_share, seed, splitting)
    if not parts["test"]:
        raise DataError(f"{name}: 0 examples to test, {len(questions)} to learn from. Give some rows split: test.")
    if documents is not None:
        _check_evidence(name, corpus, [example for part in parts.values() for example in part])
    train, dev, test = parts["train"], parts["dev"], parts["test"]
    others = about_others(parts)
    dataset = identified(QADataset(name, "", corpus, train, dev, test, others=others, others_are_of_source=True))
    if splitting.lessons == "own":
        return dataset
    control = replace(dataset, train=in_their_place(name, train, others, test, seed), counterpart=dataset.fingerprint)
    return identified(control)


def _corpus(documents: Sequence[Document]) -> tuple[Document, ...]:
    table = Dataset.from_list([{**vars(document), "meta": json.dumps(document.meta)} for document in documents], features=DOCUMENT)
    return tuple(Document(row["id"], row["text"], row["title"], json.loads(row["meta"])) for row in table.to_list())


def _parts(
    name: str, questions: Sequence[CheckedQuestion], train_share: float, seed: int, splitting: Splitting
) -> dict[Split, tuple[Example, ...]]:
    """Questions by split: their own split, or the one computed for them."""
    held = _held(questions)
    examples = [example_of(name, one) for one in held]
    own: dict[str, Split] = {one.id: one.split for one in held if one.split}
    drawn = own or _divided(name, examples, train_share, seed, splitting)
    parts: dict[Split, list[Example]] = {part: [] for part in get_args(Split)}
    for example in examples:
        if example.id in drawn:
            parts[drawn[example.id]].append(example)
    return {split: tuple(examples) for split, examples in parts.items()}


def _held(questions: Sequence[CheckedQuestion]) -> list[CheckedQuestion]:
    """The same questions, out of a table of `datasets`."""
    plain = [
        {
            **vars(one),
            "answers": list(one.answers),
            "evidence": list(one.evidence),
            "history": [vars(turn) for turn in one.history],
            "meta": json.dumps(one.meta),
        }
        for one in questions
    ]
    return [
        CheckedQuestion(
            id=row["id"],
            question=row["question"],
            answers=tuple(row["answers"]),
            evidence=tuple(row["evidence"]),
            cluster=row["cluster"],
            split=row["split"],
            history=tuple(Turn(**turn) for turn in row["history"]),
            meta=json.loads(row["meta"]),
        )
        for row in Dataset.from_list(plain, features=QUESTION).to_list()
    ]


def _divided(name: str, examples: Sequence[Example], train_share: float, seed: int, splitting: Splitting) -> dict[str, Split]:
    if splitting.by == "question":
        return by_question(name, examples, train_share, seed, splitting)
    drawn = by_cluster([example.cluster for example in examples], train_share, seed)
    return {example.id: drawn[example.cluster] for example in examples}


def example_of(name: str, question: CheckedQuestion) -> Example:
    """Read the grading of a question out of its meta.

    Args:
        name: name of the dataset, for the error message.
        question: the question, valid by itself.

    Returns:
        The question.

    Raises:
        DataError: if its meta contains an invalid grading key.
    """
    try:
        grading, meta = grading_of(question.meta)
    except ValueError as error:
        raise DataError(f"{name}: question {question.id!r} meta: {error}") from error
    return Example(
        id=question.id,
        question=question.question,
        answers=question.answers,
        evidence=question.evidence,
        cluster=question.cluster,
        history=question.history,
        meta=meta,
        grading=grading,
    )


def _check_evidence(name: str, corpus: Sequence[Document], examples: Sequence[Example]) -> None:
    """Check that evidence is in the corpus; warn if it is missing for some questions.

    Args:
        name: name of the dataset, for messages.
        corpus: all documents.
        examples: all questions.

    Raises:
        DataError: if the evidence of all questions is missing.
    """
    known = {document.id for document in corpus}
    having = [example for example in examples if example.evidence]
    lost = [example for example in having if not known.issuperset(example.evidence)]
    if not lost:
        return
    missing = next(id for id in lost[0].evidence if id not in known)
    first = f"question {lost[0].id}, document {shown(missing)}"
    what = f"evidence of {len(lost)} of {len(having)} questions is not in the corpus (first: {first})"
    if not any(known.intersection(example.evidence) for example in having):
        raise DataError(f"{name}: the {what}. Evidence must be ids of documents, such as {shown(corpus[0].id)}.")
    log.warning("%s: the %s; it counts as not found.", name, what)
