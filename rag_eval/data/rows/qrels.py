"""Conversion of documents, queries and relevance judgements to the rows of a retrieval-only dataset."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

from rag_eval.data.rows.problems import Problems, shown
from rag_eval.data.rows.read import Row

log = logging.getLogger(__name__)

JUDGED = ("query-id", "corpus-id", "score")


def qrels_rows(
    corpus: Sequence[Row], queries: Sequence[Row], pairs: Mapping[str, Sequence[Row]], problems: Problems
) -> tuple[list[Row], list[Row]]:
    """Documents, and the questions of every split that have a relevant document, in the order of the judgements.

    A query that is itself a document of the corpus (same id) and is not judged relevant is excluded from its own ranking, as in BEIR.

    Args:
        corpus: rows with `_id`, `title` and `text`.
        queries: rows with `_id` and `text`.
        pairs: rows with the fields of `JUDGED`, by split; a score above 0 means relevant, and is the grade.
        problems: receives scores that are not numbers, contradictory scores, and judgements of unknown queries.

    Returns:
        Rows of documents and rows of questions.
    """
    known = {str(row.fields.get("_id")) for row in corpus}
    by_id = {str(row.fields.get("_id")): row for row in queries}
    questions = []
    for split, rows in pairs.items():
        grades = _grades(rows, by_id, problems)
        unmet = [id for id, ids in grades.items() if not ids]
        if unmet:
            log.warning("%d queries of %s are left out: no document is relevant to them (first: %s).", len(unmet), split, unmet[0])
        name = split if len(pairs) > 1 else ""
        questions += [_question(by_id[id], given, name, id in known) for id, given in grades.items() if given]
    return [Row(row.where, _renamed(row.fields, {"_id": "id"})) for row in corpus], questions


def _grades(rows: Sequence[Row], by_id: Mapping[str, Row], problems: Problems) -> dict[str, dict[str, float]]:
    """Grades of the relevant documents by query, for every judged query."""
    given: dict[str, dict[str, float]] = {}
    for row in rows:
        query, document, score = (row.fields[name] for name in JUDGED)
        try:
            grade = float(score)
        except (TypeError, ValueError):
            grade = math.nan
        if not math.isfinite(grade):
            problems.add(row.where, f"score: must be a number but is {shown(score)}")
        elif str(query) not in by_id:
            problems.add(row.where, f"query-id: there is no query {shown(query)}")
        elif (earlier := given.setdefault(str(query), {}).setdefault(str(document), grade)) != grade:
            problems.add(row.where, f"score: is {grade:g} for {shown(document)}, which has {earlier:g} for this query already")
    return {query: {document: grade for document, grade in graded.items() if grade > 0} for query, graded in given.items()}


def _question(query: Row, grades: Mapping[str, float], split: str, is_document: bool) -> Row:
    fields = _renamed(query.fields, {"_id": "id", "text": "question"})
    id = str(fields.get("id"))
    meta: dict[str, Any] = {"itself": [id]} if is_document and id not in grades else {}
    if len(set(grades.values())) > 1:
        meta["grades"] = {document: int(grade) if grade.is_integer() else grade for document, grade in grades.items()}
    given = {"evidence": list(grades), "cluster": fields.get("id"), "split": split, "retrieval_only": True, "meta": meta}
    return Row(query.where, fields | given)


def _renamed(fields: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The fields of the dataset format, under its names."""
    known = {**{name: name for name in ("title", "text")}, **names}
    return {known[name]: value for name, value in fields.items() if name in known}
