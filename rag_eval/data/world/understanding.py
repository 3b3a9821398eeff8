"""The invented world's sentences read back by their templates: what they state and what they ask, exactly."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache

from rag_eval.data.world.language import FOLLOW_UP_SUBJECT, KINDS, Attribute, attributes
from rag_eval.types import Stated

_NAME = rf"[A-Z][a-z]+ (?:{'|'.join(KINDS)})"
_SENTENCE_END = re.compile(r"(?<!Dr)\.(?= |$)")  # "Dr. Name" is one value


class WorldLanguage:
    """Knows every template of the world and nothing else."""

    def statements(self, text: str) -> list[Stated]:
        """What a text states, in its order. Sentences of other kinds state nothing."""
        return [stated for stated, _, _ in self.located(text)]

    def located(self, text: str) -> list[tuple[Stated, int, int]]:
        """The same, each with the place of its sentence: first character, and the one after its last."""
        return [(stated, begun, ended) for begun, ended in _sentences(text) if (stated := _stated(text[begun:ended])) is not None]

    def question(self, text: str, earlier: Sequence[str]) -> tuple[str, str] | None:
        """Of whom and what a question asks, as (subject, attribute); None for a question that is none of the world's.

        Args:
            text: the question.
            earlier: questions before it, oldest first: "this disease" is the subject of the last that names one.
        """
        found = _asked(text)
        if found is None or found[0] != FOLLOW_UP_SUBJECT:
            return found
        named = [before[0] for one in reversed(earlier) if (before := _asked(one)) and before[0] != FOLLOW_UP_SUBJECT]
        return (named[0], found[1]) if named else None

    def values(self, attribute: str) -> tuple[str, ...]:
        """Everything that an attribute may be. Raises KeyError on an unknown one."""
        return _by_name()[attribute].values


@cache
def _by_name() -> dict[str, Attribute]:
    return {attribute.name: attribute for attribute in attributes()}


@cache
def _statement_patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((one.name, _pattern(template, one.values)) for one in attributes() for template in one.statements)


@cache
def _question_patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((one.name, _pattern(template, ())) for one in attributes() for template in one.questions)


def _pattern(template: str, values: Sequence[str]) -> re.Pattern[str]:
    """The template as a pattern of a whole sentence, with groups x and v."""
    literal = re.escape(template[0].upper() + template[1:] if not template.startswith("{") else template)
    some = "|".join(sorted(map(re.escape, values), key=len, reverse=True))
    literal = literal.replace(re.escape(" a {v}"), rf"\ an?\ (?P<v>{some})").replace(re.escape("{v}"), f"(?P<v>{some})")
    return re.compile(literal.replace(re.escape("{x}"), rf"(?P<x>{_NAME}|{FOLLOW_UP_SUBJECT}|{FOLLOW_UP_SUBJECT.capitalize()})"))


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    begun = 0
    for end in _SENTENCE_END.finditer(text):
        yield begun + (text[begun] == " "), end.end()
        begun = end.end()


@lru_cache(maxsize=100_000)
def _stated(sentence: str) -> Stated | None:
    for name, pattern in _statement_patterns():
        if found := pattern.fullmatch(sentence):
            return Stated(found["x"], name, found["v"])
    return None


def _asked(question: str) -> tuple[str, str] | None:
    for name, pattern in _question_patterns():
        if found := pattern.fullmatch(question.strip()):
            subject = found["x"]
            return (FOLLOW_UP_SUBJECT if subject.lower() == FOLLOW_UP_SUBJECT else subject), name
    return None
