"""Questions from the Hugging Face hub or a local table, with the documents that come with them.

`columns` maps columns to fields; a dotted name such as `answers.text` reaches into a nested column. Documents come from a column of
passages next to each question (`context`; identical texts are one document), from a separate table (`corpus`), or there are
none. A passage is evidence of the questions it stands next to, unless `evidence` selects passages by title.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt

from rag_eval.data.rows.assemble import assemble
from rag_eval.data.rows.hub_table import Table
from rag_eval.data.rows.problems import Problems, shown
from rag_eval.data.rows.read import Row, strict_json
from rag_eval.data.rows.split import Split, Splitting
from rag_eval.data.rows.validate import check_documents, check_questions
from rag_eval.data.rows.visible import is_blank
from rag_eval.errors import ConfigError
from rag_eval.text.counted import counted
from rag_eval.text.words import words
from rag_eval.types import QADataset

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Columns:
    """Column names of the question table."""

    question: str
    answers: str  # a text or a list of texts
    id: str | None = None  # None = split and row number
    context: str | None = None  # passages of the question: a text, a list of texts, or texts as lists of pieces
    title: str | None = None  # title of the passage, or of each passage
    evidence: str | None = None  # ids of documents of the corpus, or titles of passages of the row
    cluster: str | None = None  # None = the first passage
    answers_are_json: bool = False  # whether the answers column holds a JSON list as text


@dataclass(frozen=True)
class Corpus:
    """Location and column names of a table of documents."""

    path: str
    split: str
    id: str
    text: str
    title: str | None = None
    revision: str | None = None
    config: str | None = None


@dataclass
class Passages:
    """Documents collected from the passages of questions, without duplicates."""

    rows: dict[str, Row] = field(default_factory=dict)  # by id

    def add(self, where: str, text: str, title: Any) -> str:
        """Add a passage; the title of a text is the first one given for it.

        Args:
            where: place of the passage, for messages.
            text: text of the passage.
            title: title of the passage, if any.

        Returns:
            Document id: 16 hexadecimal digits of the text's SHA-256.
        """
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
    """Read, validate and split a dataset.

    Args:
        path: hub id, or a local folder (also of `save_to_disk`) or file.
        revision: commit of a hub id, 40 hexadecimal digits; None for a local path.
        config: configuration name of a dataset that has several.
        test: its split for testing.
        train: its split for training; None = split by `train_share`.
        dev: its split for tuning; None = no dev split, or split by `train_share`.
        columns: column names.
        corpus: table of documents; None = passages of the questions, or none.
        empty_is_unanswerable: whether a question without answers is unanswerable or a fault.
        train_share: share of the clusters for training if `train` and `dev` are None; 0 = all are for testing.
        seed: seed of the split.
        split_by: "cluster": tested articles are not trained on. "question": some questions about an article are for training and
            some for testing, and some articles are for dev and others only; see split_by_question.py.
        others_share: if split by question, share of the articles for others; None = as many questions as training has.
        lessons: "own", or "others" for a control that trains on as many questions about articles that are not tested.
        primary: primary score used by the dataset's authors; "" = exact match.

    Returns:
        The dataset.

    Raises:
        ConfigError: if documents are configured in two places.
        DataError: naming what is missing, or every faulty row as `path:split[row]`.
        EnvironmentFault: if the hub does not respond and there is no local copy.
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
    """Questions of a split as rows with the fields of the jsonl format; their passages are collected."""  # noqa: DOC501 (caught here)
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
        log.warning(
            "%s: left out %s of %s without a word, where others have one.", table.path, counted(n_left_out, "answer", "answers"), split
        )
    return questions


def _answers(value: Any, is_json: bool) -> list[Any]:
    """Answers that are not empty, flattened from nested lists.

    Args:
        value: value of the answers column.
        is_json: whether a string is a JSON list.

    Returns:
        The answers, of any type.

    Raises:
        ValueError: if a string is not JSON although it should be.
    """
    if is_json and isinstance(value, str):
        try:
            value = strict_json(value)
        except ValueError as fault:
            raise ValueError(f"answers: {fault}") from None
    return [one for one in _flat(value) if one is not None and one != ""]


def _evidence(row: Row, columns: Columns, passages: Passages) -> tuple[list[Any], Any]:
    """Evidence ids and cluster of a question.

    Args:
        row: the row.
        columns: column names.
        passages: collects the passages of the row.

    Returns:
        The evidence and the cluster, None if there is neither a cluster column nor a passage.

    Raises:
        ValueError: if titles and passages do not match, or a title of evidence is missing or ambiguous.
    """
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
    """Passages of a context value: a string is one passage; in a list, a string is one and a list of strings is the pieces of one.

    Args:
        value: value of the context column.

    Returns:
        Texts of the passages.

    Raises:
        ValueError: if the value is of another type.
    """
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(piece, str) for piece in _flat(parts)):
        raise ValueError(f"context: must be a text or a list of texts but is {shown(value)}")
    return [part if isinstance(part, str) else "".join(part) for part in parts]


def _flat(value: Any) -> list[Any]:
    return [one for part in value for one in _flat(part)] if isinstance(value, list) else [value]


def _named(*columns: str | None) -> Sequence[str]:
    return [column for column in columns if column is not None]
