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

from rag_eval.data.assemble import assemble
from rag_eval.data.problems import Problems
from rag_eval.data.read import Row, kind, read_json
from rag_eval.data.split import Splitting
from rag_eval.data.validate import check_documents, check_questions
from rag_eval.score.words import words
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
    """Read, check and split a SQuAD file; documents are called `<article>#<number of the paragraph, from 0>`.

    An article is called by its title; a second one of that title, which shares nothing with the first, `<title> (2)`.

    A question marked `is_impossible` has no answers and, because its paragraph does not answer it, no evidence.

    Args:
        path: of the JSON file.
        train_share: share of the articles for training; 0 = all are for testing.
        seed: decides which articles.
        split_by: cluster: what is tested is not trained on. question: part of the questions about each article train, part test, and
            some articles are for dev and others alone; by_question.py tells how.
        others_share: split by question, share of the articles for others; None = as many as training has questions.
        lessons: own, or others: a control, as many training questions about articles that are not tested.

    Raises:
        DataError: naming every fault by its place in the file, id and field.
    """
    problems = Problems(path)
    content = read_json(path, problems)
    problems.raise_any()
    documents, questions = _rows(Row(path, content if isinstance(content, dict) else {}), problems)
    corpus, asked = check_documents(documents, problems), check_questions(questions, problems)
    problems.raise_any()
    return assemble(f"squad-{Path(path).stem}", corpus, asked, train_share, seed, Splitting(split_by, others_share, lessons))


def _rows(root: Row, problems: Problems) -> tuple[list[Row], list[Row]]:
    """The documents and the questions of a file, as rows with the fields of the jsonl format."""
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
    """A name for each article that no other one has: its title, or its number where it has none."""
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
    """The texts of the answers. One without a word ("." stands in SQuAD 2.0) is left out where another has some."""
    answers = qa.fields.get("answers")
    if not isinstance(answers, list):
        return answers
    texts = [one.get("text") if isinstance(one, dict) else one for one in answers]
    worded = [text for text in texts if not isinstance(text, str) or words(text)]
    if worded and worded != texts:
        log.warning("%s: left out %d of %d answers that hold no word.", qa.where, len(texts) - len(worded), len(texts))
    return worded or texts


def _children(row: Row, field: str, problems: Problems) -> Iterator[Row]:
    """The objects in a list of an object, each with its place in the file."""
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
