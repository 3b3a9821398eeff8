"""Recorded answers of any system as JSON lines, one a question.

{"id": "q1", "prediction": "Egypt", "contexts": ["d1", {"text": "The Nile ..."}], "latency_s": 0.8,
 "n_prompt_tokens": 310, "n_output_tokens": 2}

Required are `id`, that of the dataset's question, and `prediction`, a text, or null where the system gave no answer; the
rest may be absent. A context is the id of a document, a passage as a plain text, or an object with `text` and perhaps `id`
and `title`. Without `contexts` nothing is known of what was retrieved; an empty list says that nothing was. Other fields
are ignored.
"""

from __future__ import annotations

import difflib
import logging
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, ValidationError

from rag_eval.errors import DataError
from rag_eval.replay.answer import Answers, RecordedAnswer
from rag_eval.replay.resolve import made_id
from rag_eval.types import Document

log = logging.getLogger(__name__)

N_SHOWN = 10
Filled = Annotated[str, Field(min_length=1)]
STRICT = ConfigDict(strict=True, allow_inf_nan=False)


class Context(BaseModel):
    """A passage that stood in the prompt."""

    model_config = STRICT
    text: Filled
    id: Filled | None = None
    title: str = ""


class Line(BaseModel):
    """One line of the file."""

    model_config = {**STRICT, "extra": "allow"}  # others are ignored, but a misnamed one is pointed out
    id: Filled | int
    prediction: str | None
    contexts: list[Filled | Context] | None = None
    latency_s: NonNegativeFloat | None = None
    n_prompt_tokens: NonNegativeInt | None = None
    n_output_tokens: NonNegativeInt | None = None


def jsonl_answers(path: str) -> Answers:
    """Read and check a file of recorded answers.

    Args:
        path: JSON lines, one question each.

    Returns:
        Answers by question id.

    Raises:
        DataError: if the file cannot be read or is empty, or a line is wrong; faults are named by file and line.
    """
    answers: dict[str, RecordedAnswer] = {}
    first: dict[str, int] = {}
    faults: list[str] = []
    strange: dict[str, int] = {}
    for number, text in enumerate(_lines(path), start=1):
        if not text.strip():
            continue
        try:
            line = Line.model_validate_json(text)
        except ValidationError as error:
            one = error.errors(include_url=False)[0]
            faults.append(f"{path}:{number} {'.'.join(map(str, one['loc'])) or 'line'}: {one['msg'][0].lower()}{one['msg'][1:]}")
            continue
        for name in line.model_extra or {}:
            strange.setdefault(name, number)
        id = str(line.id)
        if first.setdefault(id, number) != number:
            faults.append(f"{path}:{number} id {id!r}: stands at line {first[id]} already")
        answers[id] = _answer(line)
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise DataError("\n  ".join([f"{faults[0]}{more}", *faults[1:N_SHOWN]]))
    if not answers:
        raise DataError(f'{path}: no recorded answers. Give one line a question: {{"id": ..., "prediction": ...}}.')
    for name, number in strange.items():
        near = difflib.get_close_matches(name, list(Line.model_fields), n=1, cutoff=0.6)
        if near:
            log.warning("%s:%d: the field %r is ignored; is it %r?", path, number, name, near[0])
    return answers


def _lines(path: str) -> list[bytes]:
    try:
        return Path(path).read_bytes().removeprefix(b"\xef\xbb\xbf").splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Give replay.path=<a file of recorded answers>.") from error


def _answer(line: Line) -> RecordedAnswer:
    contexts = None if line.contexts is None else tuple(map(_document, line.contexts))
    return RecordedAnswer(line.prediction, contexts, line.latency_s, line.n_prompt_tokens, line.n_output_tokens)


def _document(context: str | Context) -> Document:
    if isinstance(context, str):
        return Document(context, "")
    return Document(context.id or made_id(context.text), context.text, context.title)
