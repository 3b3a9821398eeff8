"""Documents, queries and judgements of which is relevant to which, to the rows of a dataset for retrieval only."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from rag_eval.data.problems import Problems, shown
from rag_eval.data.read import Row

log = logging.getLogger(__name__)

JUDGED = ("query-id", "corpus-id", "score")


def judged(
    corpus: Sequence[Row], queries: Sequence[Row], pairs: Mapping[str, Sequence[Row]], problems: Problems
) -> tuple[list[Row], list[Row]]:
    """The documents, and the questions of every split: those to which some document is relevant, in the order of their judgements.

    Args:
        corpus: rows with `_id`, `title` and `text`.
        queries: rows with `_id` and `text`.
        pairs: rows with the fields of JUDGED, by split; a score above 0 means relevant.
        problems: gets scores that are no numbers and judgements of queries that there are none of.
    """
    by_id = {str(row.fields.get("_id")): row for row in queries}
    questions = []
    for split, rows in pairs.items():
        evidence = _evidence(rows, by_id, problems)
        unmet = [id for id, ids in evidence.items() if not ids]
        if unmet:
            log.warning("%d queries of %s are left out: no document is relevant to them (first: %s).", len(unmet), split, unmet[0])
        name = split if len(pairs) > 1 else ""
        questions += [_question(by_id[id], ids, name) for id, ids in evidence.items() if ids]
    return [Row(row.where, _renamed(row.fields, {"_id": "id"})) for row in corpus], questions


def _evidence(rows: Sequence[Row], by_id: Mapping[str, Row], problems: Problems) -> dict[str, list[str]]:
    """Ids of relevant documents by query, for every query that is judged."""
    evidence: dict[str, list[str]] = {}
    for row in rows:
        query, document, score = (row.fields[name] for name in JUDGED)
        try:
            is_relevant = float(score) > 0
        except (TypeError, ValueError):
            problems.add(row.where, f"score: must be a number but is {shown(score)}")
            continue
        if str(query) not in by_id:
            problems.add(row.where, f"query-id: there is no query {shown(query)}")
            continue
        evidence.setdefault(str(query), []).extend([str(document)] if is_relevant else [])
    return evidence


def _question(query: Row, evidence: list[str], split: str) -> Row:
    fields = _renamed(query.fields, {"_id": "id", "text": "question"})
    given = {"evidence": evidence, "cluster": fields.get("id"), "split": split, "retrieval_only": True}
    return Row(query.where, fields | given)


def _renamed(fields: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The fields that a dataset has, under its names."""
    known = {**{name: name for name in ("title", "text")}, **names}
    return {known[name]: value for name, value in fields.items() if name in known}
