"""Questions of the Hugging Face hub, or in a table of this disk, and the documents that come with them.

`columns` says where things stand; a dotted name such as `answers.text` reaches into a nested column. Documents come from a column
of passages beside each question (`context`), where equal texts are one document, or from a table of their own (`corpus`), or there
are none. A passage is the evidence of the questions that it stands beside, unless `evidence` names those that are by their titles.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt

from rag_eval.data.assemble import assemble
from rag_eval.data.hub_table import Table
from rag_eval.data.problems import Problems, shown
from rag_eval.data.read import Row, strict_json
from rag_eval.data.split import Split, Splitting
from rag_eval.data.validate import check_documents, check_questions
from rag_eval.data.visible import is_blank
from rag_eval.errors import ConfigError
from rag_eval.score.words import words
from rag_eval.types import QADataset

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Columns:
    """Which column holds what."""

    question: str
    answers: str  # a text or a list of texts
    id: str | None = None  # None = the split and the number of the row
    context: str | None = None  # passages beside the question: a text, texts, or texts in pieces
    title: str | None = None  # of the passage, or of each
    evidence: str | None = None  # ids of documents of the corpus, or titles of passages of the row
    cluster: str | None = None  # None = the first passage
    answers_are_json: bool = False  # the column of answers holds a JSON list as text


@dataclass(frozen=True)
class Corpus:
    """A table of documents."""

    path: str
    split: str
    id: str
    text: str
    title: str | None = None
    revision: str | None = None
    config: str | None = None


@dataclass
class Passages:
    """The documents that stand beside questions, each text once."""

    rows: dict[str, Row] = field(default_factory=dict)  # by id

    def add(self, where: str, text: str, title: Any) -> str:
        """The id of the document with this text; the first title of a text is its title."""
        id = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]
        self.rows.setdefault(id, Row(where, {"id": id, "title": title, "text": text}))
        return id


def hub(
    path: str,
    revision: str | None,
    config: str | None,
    test: str,
    train: str | None,
    dev: str | None,
    columns: Columns,
    corpus: Corpus | None,
    empty_is_unanswerable: bool,
    train_share: Annotated[float, Field(ge=0, lt=1)],
    seed: NonNegativeInt,
    split_by: Literal["cluster", "question"] = "cluster",
    others_share: Annotated[float, Field(gt=0, lt=1)] | None = None,
    lessons: Literal["own", "others"] = "own",
    primary: str = "",
) -> QADataset:
    """Read, check and split a data set.

    Args:
        path: hub id, or a folder (also of `save_to_disk`) or a file of this disk.
        revision: commit of a hub id, 40 hexadecimal digits; None for a path of this disk.
        config: name of the part of a data set that has several.
        test: its split for testing.
        train: its split for training; None = `train_share` decides.
        dev: its split for tuning; None = there is none, or `train_share` decides.
        columns: where things stand.
        corpus: a table of documents; None = passages beside the questions, or none.
        empty_is_unanswerable: whether a question without an answer is one that has none, or a fault.
        train_share: share of the clusters for training, where `train` and `dev` are None; 0 = all are for testing.
        seed: decides which clusters.
        split_by: cluster: what is tested is not trained on. question: part of the questions about each article train, part test, and
            some articles are for dev and others alone; by_question.py tells how.
        others_share: split by question, share of the articles for others; None = as many as training has questions.
        lessons: own, or others: a control, as many training questions about articles that are not tested.
        primary: the score of answers that its authors judge by; "" = exact match.

    Raises:
        ConfigError: if documents are to come from two places.
        DataError: naming what is not there, or every faulty row as `path:split[row]`.
        EnvironmentFault: if the hub does not answer and this machine has no copy.
    """
    if corpus is not None and columns.context is not None:
        raise ConfigError("dataset.corpus and dataset.columns.context both name documents; set one to null.")
    table = Table(path, revision, config)
    problems = Problems(path)
    passages = Passages()
    given: dict[Split, str | None] = {"test": test, "train": train, "dev": dev}
    has_splits = train is not None or dev is not None
    questions = []
    for split, name in given.items():
        if name is not None:
            rows = _questions(table, name, columns, empty_is_unanswerable, passages, problems)
            questions += [Row(row.where, row.fields | {"split": split if has_splits else ""}) for row in rows]
    documents = _documents(corpus) if corpus is not None else list(passages.rows.values()) if columns.context else None
    checked = None if documents is None else check_documents(documents, problems)
    asked = check_questions(questions, problems)
    problems.raise_any()
    made = assemble(
        f"hub-{path.rstrip('/').rpartition('/')[2]}", checked, asked, train_share, seed, Splitting(split_by, others_share, lessons)
    )
    return replace(made, primary=primary)


def _documents(corpus: Corpus) -> list[Row]:
    rows = Table(corpus.path, corpus.revision, corpus.config).rows(corpus.split, _named(corpus.id, corpus.text, corpus.title))
    parts = {"id": corpus.id, "text": corpus.text, "title": corpus.title}
    return [Row(row.where, {part: row.fields[column] for part, column in parts.items() if column}) for row in rows]


def _questions(
    table: Table, split: str, columns: Columns, empty_is_unanswerable: bool, passages: Passages, problems: Problems
) -> list[Row]:
    """The questions of a split as rows with the fields of the jsonl format; their passages are added."""
    named = (columns.question, columns.answers, columns.id, columns.context, columns.title, columns.evidence, columns.cluster)
    questions, n_left_out = [], 0
    for number, row in enumerate(table.rows(split, _named(*named))):
        fields = row.fields
        id = fields[columns.id] if columns.id else f"{split}-{number}"
        try:
            found = _answers(fields[columns.answers], columns.answers_are_json)
            if not found and not empty_is_unanswerable:
                raise ValueError("answers: is empty; dataset.empty_is_unanswerable=true takes such questions for unanswerable")
            evidence, cluster = _evidence(row, columns, passages)
        except ValueError as fault:
            problems.add(row.where, f"id {shown(id)} {fault}")
            continue
        answers = [one for one in found if not isinstance(one, str) or words(one)] or found
        n_left_out += len(found) - len(answers)
        question = {"id": id, "question": fields[columns.question], "answers": answers, "unanswerable": not answers}
        questions.append(Row(row.where, question | {"evidence": evidence if answers else [], "cluster": cluster}))
    if n_left_out:
        log.warning("%s: left out %d answers of %s that hold no word, where others do.", table.path, n_left_out, split)
    return questions


def _answers(value: Any, is_json: bool) -> list[Any]:
    """Answers that are not blank, from any depth of lists."""
    if is_json and isinstance(value, str):
        try:
            value = strict_json(value)
        except ValueError as fault:
            raise ValueError(f"answers: {fault}") from None
    return [one for one in _flat(value) if one is not None and one != ""]


def _evidence(row: Row, columns: Columns, passages: Passages) -> tuple[list[Any], Any]:
    """The evidence of a question that has some, and its cluster."""
    cluster = row.fields[columns.cluster] if columns.cluster else None
    named = [one for one in _flat(row.fields[columns.evidence]) if one is not None] if columns.evidence else None
    if columns.context is None:
        return named or [], cluster
    texts = _passages(row.fields[columns.context])
    title = row.fields[columns.title] if columns.title else None
    titles = title if isinstance(title, list) else [title] * len(texts)
    if len(titles) != len(texts):
        raise ValueError(f"title: {len(titles)} titles for {len(texts)} passages")
    found = [(one, passages.add(row.where, text, one)) for text, one in zip(texts, titles, strict=True) if not is_blank(text)]
    ids = [id for _, id in found]
    if named is not None:
        by_title = dict(found)
        if lost := [one for one in named if one not in by_title]:
            raise ValueError(f"evidence: {shown(lost[0])} is the title of no passage of the row")
        if unclear := [title for title, id in found if title in named and by_title[title] != id]:
            raise ValueError(f"evidence: {shown(unclear[0])} is the title of several passages of the row")
        ids = [by_title[one] for one in named]
    return ids, cluster if columns.cluster else next(iter(ids), None)


def _passages(value: Any) -> list[str]:
    """A text is one passage; in a list, a text is one and a list of texts is the pieces of one."""
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(piece, str) for piece in _flat(parts)):
        raise ValueError(f"context: must be a text or a list of texts but is {shown(value)}")
    return [part if isinstance(part, str) else "".join(part) for part in parts]


def _flat(value: Any) -> list[Any]:
    return [one for part in value for one in _flat(part)] if isinstance(value, list) else [value]


def _named(*columns: str | None) -> Sequence[str]:
    return [column for column in columns if column is not None]
