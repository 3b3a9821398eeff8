"""A file in the format of SQuAD 1.1 or 2.0: every paragraph is a document, its article the cluster of its questions.

{"data": [{"title": "Normans", "paragraphs": [{"context": "...", "qas": [
    {"id": "56dd", "question": "...", "answers": [{"text": "France", "answer_start": 159}], "is_impossible": false}]}]}]}
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt

from rag_eval.data.rows.assemble import assemble
from rag_eval.data.rows.problems import Problems
from rag_eval.data.rows.read import Row, kind, read_json
from rag_eval.data.rows.split import Splitting
from rag_eval.data.rows.validate import check_documents, check_questions
from rag_eval.text.words import words
from rag_eval.types import QADataset

log = logging.getLogger(__name__)


def squad(
    path: str,
    train_share: Annotated[float, Field(ge=0, lt=1)],
    seed: NonNegativeInt,
    split_by: Literal["cluster", "question"] = "cluster",
    others_share: Annotated[float, Field(gt=0, lt=1)] | None = None,
    lessons: Literal["own", "others"] = "own",
) -> QADataset:
    """Read, validate and split a SQuAD file; document ids are `<article>#<paragraph, from 0>`.

    The name of an article is its title; a second article with the same title is a different cluster named `<title> (2)`. A question
    marked `is_impossible` has no answers and no evidence, because its paragraph does not answer it.

    Args:
        path: path of the JSON file.
        train_share: share of the articles for training; 0 = all are for testing.
        seed: seed of the split.
        split_by: "cluster": tested articles are not trained on. "question": some questions about an article are for training and
            some for testing, and some articles are for dev and others only; see split_by_question.py.
        others_share: if split by question, share of the articles for others; None = as many questions as training has.
        lessons: "own", or "others" for a control that trains on as many questions about articles that are not tested.

    Returns:
        The dataset.

    Raises:
        DataError: listing every fault by its place in the file, id and field.
    """
    problems = Problems(path)
    content = read_json(path, problems)
    problems.raise_any()
    documents, questions = _rows(Row(path, content if isinstance(content, dict) else {}), problems)
    corpus, asked = check_documents(documents, problems), check_questions(questions, problems)
    problems.raise_any()
    return assemble(f"squad-{Path(path).stem}", corpus, asked, train_share, seed, Splitting(split_by, others_share, lessons))


def _rows(root: Row, problems: Problems) -> tuple[list[Row], list[Row]]:
    """Documents and questions of a file, as rows with the fields of the jsonl format."""
    documents: list[Row] = []
    questions: list[Row] = []
    articles = list(_children(root, "data", problems))
    for title, article in zip(_names(articles), articles, strict=True):
        for n_paragraph, paragraph in enumerate(_children(article, "paragraphs", problems)):
            id = f"{title}#{n_paragraph}"
            text = {"id": id, "title": article.fields.get("title"), "text": paragraph.fields.get("context")}
            documents.append(Row(paragraph.where, text))
            questions += [_question(qa, id, title) for qa in _children(paragraph, "qas", problems)]
    return documents, questions


def _names(articles: Sequence[Row]) -> list[str]:
    """Unique name of each article: its title, or its number if it has none."""
    titles = [str(article.fields.get("title") or f"article {at}") for at, article in enumerate(articles)]
    taken, names = set(titles), []
    for at, title in enumerate(titles):
        free = (name for n in count(2) if (name := f"{title} ({n})") not in taken)
        names.append(next(free) if title in titles[:at] else title)
        taken.add(names[-1])
    return names


def _question(qa: Row, document: str, article: str) -> Row:
    is_impossible = qa.fields.get("is_impossible")
    fields = {
        "answers": _answers(qa),
        "unanswerable": is_impossible,
        "evidence": [] if is_impossible is True else [document],
        "cluster": article,
    }
    fields |= {field: value for field, value in qa.fields.items() if field in ("id", "question")}
    return Row(qa.where, fields)


def _answers(qa: Row) -> Any:
    """Texts of the answers. Answers without a word (such as "." in SQuAD 2.0) are dropped if there are others."""
    answers = qa.fields.get("answers")
    if not isinstance(answers, list):
        return answers
    texts = [one.get("text") if isinstance(one, dict) else one for one in answers]
    worded = [text for text in texts if not isinstance(text, str) or words(text)]
    if worded and worded != texts:
        log.warning("%s: left out %d of %d answers that hold no word.", qa.where, len(texts) - len(worded), len(texts))
    return worded or texts


def _children(row: Row, field: str, problems: Problems) -> Iterator[Row]:
    """Objects of a list field, each with its place in the file."""
    children = row.fields.get(field)
    if not isinstance(children, list):
        found = kind(children) if field in row.fields else "missing"
        problems.add(row.where, f"{field}: must be a list of objects but is {found}")
        return
    for at, child in enumerate(children):
        where = f"{row.where} {field}[{at}]"
        if isinstance(child, dict):
            yield Row(where, child)
        else:
            problems.add(where, f"must be an object but is {kind(child)}")
