"""Validation of rows from a user's files. Every fault has its place, id and field; nothing is guessed or dropped."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from rag_eval.data.rows.problems import Problems, shown
from rag_eval.data.rows.read import Row, kind
from rag_eval.data.rows.split import Split
from rag_eval.data.rows.typed_values import as_text
from rag_eval.data.rows.visible import is_blank
from rag_eval.types import Document, Turn

Fields = Mapping[str, Any]
Check = Callable[[Fields], Any]  # returns the validated value of a field; raises ValueError with the fault
Checked = TypeVar("Checked")


@dataclass(frozen=True)
class CheckedQuestion:
    """A question that is valid by itself, before it is split and before its evidence is looked up in the corpus."""

    id: str
    question: str
    answers: tuple[str, ...]  # distinct; () = unanswerable, or for retrieval only
    evidence: tuple[str, ...]  # ids of documents
    cluster: str  # by default the first evidence, then the id
    split: Split | Literal[""]  # "" = the source has no splits
    history: tuple[Turn, ...]  # oldest first
    meta: Mapping[str, Any]


def check_documents(rows: Sequence[Row], problems: Problems) -> list[Document]:
    """Validate rows of documents: `id`, `title`, `text` and `meta`. Faults are added to the problems, and faulty rows left out."""
    return _checked(Document, rows, DOCUMENT, {"id", "text"}, problems)


def check_questions(rows: Sequence[Row], problems: Problems) -> list[CheckedQuestion]:
    """Validate rows of questions and fill in optional fields.

    Args:
        rows: rows of questions.
        problems: receives the faults.

    Returns:
        The questions, without those that have a fault.
    """
    checked = _checked(CheckedQuestion, rows, QUESTION, {"id", "question"}, problems)
    bare = [row for row in rows if not row.fields.get("split")]
    if bare and any(row.fields.get("split") in get_args(Split) for row in rows):
        problems.add(bare[0].where, f"{_name(bare[0])} split: is missing while other rows have one; give it in every row or in none")
    return checked


def _checked(
    kind: Callable[..., Checked], rows: Sequence[Row], checks: Mapping[str, Check], required: set[str], problems: Problems
) -> list[Checked]:
    checked: list[Checked] = []
    first: dict[str, Row] = {}
    for row in rows:
        missing = sorted(required - row.fields.keys())
        if missing:
            found = ", ".join(map(shown, list(row.fields)[:20])) or "nothing"
            problems.add(row.where, f"{_name(row)} lacks {', '.join(missing)}; found {found}")
            continue
        values = {}
        for field, check in checks.items():
            try:
                values[field] = check(row.fields)
            except ValueError as fault:
                problems.add(row.where, f"{_name(row)} {field}: {fault}")
        if "id" in values and (earlier := first.setdefault(values["id"], row)) is not row:
            content = "the same" if earlier.fields == row.fields else "different"
            problems.add(row.where, f"{_name(row)} id: stands at {earlier.where} already, with {content} content")
        if len(values) == len(checks):
            checked.append(kind(**values))
    return checked


def _name(row: Row) -> str:
    id = row.fields.get("id")
    return f"id {id}" if isinstance(id, str) and id.isprintable() and len(id) <= 60 else f"id {shown(id)}"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be a text but is {kind(value)}")
    if "\0" in value:
        raise ValueError(f"holds the character NUL: {shown(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"holds half of a surrogate pair: {shown(value)}") from None
    return value


def _filled(value: Any) -> str:
    if is_blank(_text(value)):
        raise ValueError("is empty" if not value.strip() else f"holds nothing that can be seen: {value!a}")
    return str(value)


def _id(value: Any) -> str:
    """Id as text; an integer becomes its digits."""
    return str(value) if type(value) is int else _filled(value)


def _title(fields: Fields) -> str:
    title = _text(_or(fields, "title", ""))
    return "" if is_blank(title) else title


def _answers(fields: Fields) -> tuple[str, ...]:
    """Distinct answers, in order; () if and only if the row is marked unanswerable or retrieval_only.

    Args:
        fields: fields of the row.

    Returns:
        The answers.

    Raises:
        ValueError: if answers are missing, empty, of a wrong type, or given in a row marked as having none.
    """
    value = _answer_texts(fields.get("answers"))
    for mark in ("unanswerable", "retrieval_only"):
        if _flag(fields, mark):
            if value:
                raise ValueError(f"must be empty in a row marked {mark}: true but is {shown(value)}")
            return ()
    if value is None:
        near = difflib.get_close_matches("answers", [name for name in fields if name != "answers"], n=1)
        hint = f"; is it the field {near[0]!r}?" if near else ""
        raise ValueError(f"is missing or null; give a text or a list of texts, or mark the row unanswerable: true{hint}")
    if not isinstance(value, str | list):
        raise ValueError(f"must be a text or a list of texts but is {kind(value)}")
    if not value:
        raise ValueError("is empty; mark the row unanswerable: true")
    return tuple(dict.fromkeys(map(_filled, [value] if isinstance(value, str) else value)))


def _answer_texts(value: Any) -> Any:
    return list(map(as_text, value)) if isinstance(value, list) else as_text(value)


def _flag(fields: Fields, name: str) -> bool:
    value = _or(fields, name, False)
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false but is {shown(value)}")
    return value


def _evidence(fields: Fields) -> tuple[str, ...]:
    value = _or(fields, "evidence", [])
    ids = tuple(dict.fromkeys(map(_id, value if isinstance(value, list) else [value])))
    if ids and fields.get("unanswerable") is True:
        raise ValueError(f"must be empty in a row marked unanswerable: true but is {shown(value)}")
    if not ids and fields.get("retrieval_only") is True:
        raise ValueError("is empty in a row marked retrieval_only: true; name the documents that are to be found")
    return ids


def _cluster(fields: Fields) -> str:
    if fields.get("cluster") not in (None, ""):
        return _id(fields["cluster"])
    evidence = _or(fields, "evidence", [])
    return str(next(iter(evidence if isinstance(evidence, list) else [evidence]), fields["id"]))


def _split(fields: Fields) -> str:
    value = _or(fields, "split", "")
    if value not in ("", *get_args(Split)):
        raise ValueError(f"must be one of {', '.join(get_args(Split))} but is {shown(value)}")
    return str(value)


def _history(fields: Fields) -> tuple[Turn, ...]:
    turns = _or(fields, "history", [])
    if not isinstance(turns, list) or not all(isinstance(turn, dict) and turn.keys() == {"question", "answer"} for turn in turns):
        raise ValueError(f'must be a list of {{"question": ..., "answer": ...}}, oldest first, but is {shown(turns)}')
    return tuple(Turn(_filled(turn["question"]), _filled(turn["answer"])) for turn in turns)


def _meta(fields: Fields) -> dict[str, Any]:
    value = _or(fields, "meta", {})
    if not isinstance(value, dict):
        raise ValueError(f"must be an object but is {kind(value)}")
    _texts(value)
    return value


def _texts(value: Any) -> None:
    """Check every string at any depth."""
    if isinstance(value, dict | list):
        for part in value:
            _texts(part)
        for part in value.values() if isinstance(value, dict) else ():
            _texts(part)
    elif isinstance(value, str):
        _text(value)


def _or(fields: Fields, field: str, default: Any) -> Any:
    """Value of an optional field; null counts as missing."""
    value = fields.get(field)
    return default if value is None else value


DOCUMENT: Mapping[str, Check] = {
    "id": lambda fields: _id(fields["id"]),
    "title": _title,
    "text": lambda fields: _text(fields["text"]),
    "meta": _meta,
}
QUESTION: Mapping[str, Check] = {
    "id": lambda fields: _id(fields["id"]),
    "question": lambda fields: _filled(fields["question"]),
    "answers": _answers,
    "evidence": _evidence,
    "cluster": _cluster,
    "split": _split,
    "history": _history,
    "meta": lambda fields: _meta(fields) | ({"retrieval_only": True} if fields.get("retrieval_only") is True else {}),
}
