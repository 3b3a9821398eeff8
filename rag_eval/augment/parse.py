"""What a model wrote to questions with answers: JSON, or lines of `Q:` and `A:`. Whatever else it wrote is counted, not guessed at."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rag_eval.text.abstention import is_abstention
from rag_eval.text.normalize import normalize, without_articles

_FENCE = re.compile(r"^\s*```\w*\s*$")
_ASKED = re.compile(r"^\s*(?:\d+[.)]\s*)?(?:Q|Question)\s*\d*\s*:\s*(?P<text>.*\S)\s*$", re.IGNORECASE)
_ANSWERED = re.compile(r"^\s*(?:A|Answer)\s*\d*\s*:\s*(?P<text>.*\S)\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class QuestionAnswer:
    """A question with its answer, as a model wrote them."""

    question: str
    answer: str


def read_pairs(reply: str) -> tuple[list[QuestionAnswer], int]:
    """The pairs of a reply in order, and how many of its parts are none; a reply without a word counts as one."""
    lines = [line for line in reply.split("\n") if line.strip() and not _FENCE.match(line)]
    whole = _json("\n".join(lines))
    found = [_pair(one) for one in whole] if isinstance(whole, list) else _from_lines(lines)
    pairs = [one for one in found if one is not None]
    return pairs, len(found) - len(pairs) if found else 1


def _from_lines(lines: Sequence[str]) -> list[QuestionAnswer | None]:
    """One entry a JSON object, a question with its answer on the next line, or a line that is neither."""
    found: list[QuestionAnswer | None] = []
    at = 0
    while at < len(lines):
        asked = _ASKED.match(lines[at])
        answered = _ANSWERED.match(lines[at + 1]) if asked and at + 1 < len(lines) else None
        if asked and answered:
            found.append(_pair({"question": asked["text"], "answer": answered["text"]}))
        else:
            found.append(_pair(_json(lines[at].strip().removesuffix(","))))
        at += 2 if answered else 1
    return found


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _pair(value: Any) -> QuestionAnswer | None:
    """None where it is no pair of texts, or where nothing could match the answer."""
    if not isinstance(value, dict) or not value.keys() >= {"question", "answer"}:
        return None
    question, answer = value["question"], value["answer"]
    if not isinstance(question, str) or not isinstance(answer, str):
        return None
    pair = QuestionAnswer(" ".join(question.split()), " ".join(answer.split()))
    is_whole = normalize(pair.question) and without_articles(pair.answer) and not is_abstention(pair.answer) and _is_text(question + answer)
    return pair if is_whole else None


def _is_text(value: str) -> bool:
    """JSON may hold half of a surrogate pair or the character NUL, which no reader of questions takes."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value
