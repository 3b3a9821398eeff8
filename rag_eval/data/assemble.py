"""Checked rows to a QADataset. Hugging Face `datasets` holds the rows, in memory and typed; nothing is written to disk."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from datasets import Dataset, Features, List, Value

from rag_eval.data.fingerprint import fingerprint
from rag_eval.data.problems import shown
from rag_eval.data.split import Split, by_cluster
from rag_eval.data.visible import is_blank
from rag_eval.errors import DataError
from rag_eval.score.demands import check_meta
from rag_eval.types import Document, Example, QADataset, Turn

log = logging.getLogger(__name__)

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
    name: str, documents: Sequence[Mapping[str, Any]] | None, questions: Sequence[Mapping[str, Any]], train_share: float, seed: int
) -> QADataset:
    """Rows as `validate` returns them, split and checked against each other.

    Raises:
        DataError: if there is nothing to search or to ask, or no evidence is in the corpus.
    """
    if documents is not None and all(is_blank(row["text"]) for row in documents):
        raise DataError(f"{name}: the corpus is empty ({len(documents)} documents, none with text). Give documents with text.")
    if not questions:
        raise DataError(f"{name}: 0 examples. Give at least one question.")
    corpus = _corpus(documents) if documents is not None else ()
    parts = _parts(questions, train_share, seed)
    if not parts["test"]:
        raise DataError(f"{name}: 0 examples to test, {len(questions)} to learn from. Give some rows split: test.")
    if documents is not None:
        _check_evidence(name, corpus, [example for part in parts.values() for example in part])
    _check_meta(name, [example for part in parts.values() for example in part])
    train, dev, test = parts["train"], parts["dev"], parts["test"]
    return QADataset(name, fingerprint(corpus, train, dev, test), corpus, train, dev, test)


def _corpus(documents: Sequence[Mapping[str, Any]]) -> tuple[Document, ...]:
    table = Dataset.from_list([{**row, "meta": json.dumps(row.get("meta", {}))} for row in documents], features=DOCUMENT)
    return tuple(Document(row["id"], row["text"], row["title"], json.loads(row["meta"])) for row in table.to_list())


def _parts(questions: Sequence[Mapping[str, Any]], train_share: float, seed: int) -> dict[Split, tuple[Example, ...]]:
    """Questions by split: their own, or by cluster where they have none."""
    table = Dataset.from_list([{**row, "meta": json.dumps(row["meta"])} for row in questions], features=QUESTION)
    drawn = by_cluster([row["cluster"] for row in questions], train_share, seed)
    parts: dict[Split, list[Example]] = {"train": [], "dev": [], "test": []}
    for row in table.to_list():
        parts[row["split"] or drawn[row["cluster"]]].append(_example(row))
    return {split: tuple(examples) for split, examples in parts.items()}


def _example(row: Mapping[str, Any]) -> Example:
    return Example(
        id=row["id"],
        question=row["question"],
        answers=tuple(row["answers"]),
        evidence=tuple(row["evidence"]),
        cluster=row["cluster"],
        history=tuple(Turn(**turn) for turn in row["history"]),
        meta=json.loads(row["meta"]),
    )


def _check_evidence(name: str, corpus: Sequence[Document], examples: Sequence[Example]) -> None:
    """Warn of questions whose evidence is not in the corpus; refuse when that is so for all that have any."""
    known = {document.id for document in corpus}
    having = [example for example in examples if example.evidence]
    lost = [example for example in having if not known.issuperset(example.evidence)]
    if not lost:
        return
    missing = next(id for id in lost[0].evidence if id not in known)
    first = f"question {lost[0].id}, document {shown(missing)}"
    what = f"evidence of {len(lost)} of {len(having)} questions is not in the corpus (first: {first})"
    if not any(known.intersection(example.evidence) for example in having):
        raise DataError(f"{name}: the {what}. Evidence must be ids of documents.")
    log.warning("%s: the %s; it counts as not found.", name, what)


def _check_meta(name: str, examples: Sequence[Example]) -> None:
    """Refuse what a scorer would not understand: an unknown comparator or format, spans or choices that are none."""
    for example in examples:
        try:
            check_meta(example.meta)
        except ValueError as error:
            raise DataError(f"{name}: question {example.id!r} meta: {error}") from error
