"""The invented world's passages and questions read back by their templates, exactly: what they state and what they ask."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache

from rag_eval.types import Stated
from synthworld.answer_rules import reply, wrong_reply
from synthworld.documents import DOUBTFUL, OPENERS
from synthworld.mention_finder import Mention, Templates, is_pronoun, is_value, type_of
from synthworld.names import TYPES, Type
from synthworld.question_parser import plain_question, resolved
from synthworld.templates import Attribute, attributes

_ORIGIN = re.compile(r"(?:Written in (?P<written>\d{4})|From the (?P<source>[A-Z]\w*(?: [A-Z]\w*)*)(?: of (?P<published>\d{4}))?)\.(?: |$)")
_SENTENCE = re.compile(r"[^.]+\.(?= |$)")  # no value holds a period
_PAIR = re.compile(r"Q: (?P<question>[^?]+\?) A: (?P<value>[^.]+)\.(?= |$)")
_CELL = " | "


class WorldLanguage:
    """Knows every template of the world and the forms of its names, and nothing else."""

    def statements(self, text: str, title: str = "") -> list[Stated]:
        """The facts that a passage states; sentences of other kinds state nothing.

        Args:
            text: the passage: prose, a row of a table, or questions and answers.
            title: entity that "this disease" refers to if no earlier sentence names a disease.

        Returns:
            The statements, in the order of the passage.
        """
        return list(_read(text, title))

    def answer(self, question: str, earlier: Sequence[str], stated: Sequence[Stated]) -> str | None:
        """Answer a question from statements.

        Args:
            question: a question of any kind that the world knows.
            earlier: earlier questions, oldest first; they tell what "this disease" refers to.
            stated: statements; of several that give the same attribute of an entity the first counts, but for a question as of a year the
                latest until that year.

        Returns:
            The answer; None if the statements give none, or the question is not understood.
        """
        asked = resolved(question, earlier)
        return reply(asked, stated) if asked else None

    def another(self, question: str, earlier: Sequence[str], stated: Sequence[Stated], rng: random.Random) -> str | None:
        """A wrong answer of the kind that `answer` gives; None where it gives none. A wrong value is, where possible, nowhere stated."""
        asked = resolved(question, earlier)
        right = reply(asked, stated) if asked else None
        return wrong_reply(asked, stated, right, rng) if asked and right else None


@lru_cache(maxsize=100_000)
def _read(text: str, title: str) -> tuple[Stated, ...]:
    origin = _ORIGIN.match(text)
    body = text[origin.end() :] if origin else text
    year = origin and (origin["written"] or origin["published"])
    source = (origin and origin["source"]) or ""
    return tuple(
        Stated(found.name, found.attribute.name, found.value, int(year) if year else None, source, source in DOUBTFUL)
        for found in _meant(_found(body), title)
        if found.attribute
    )


def _meant(said: Iterable[Mention], title: str) -> Iterator[Mention]:
    """The same with a name in the place of "this disease": that of the disease named last; nothing where none was."""
    named = {type_of(title): title}
    for one in said:
        name = named.get(type_of(one.name)) if is_pronoun(one.name) else one.name
        if name:
            named[type_of(name)] = name
            yield replace(one, name=name)


def _found(body: str) -> Iterator[Mention]:
    if _CELL in body:
        return _in_row(body)
    return _in_pairs(body) if body.startswith("Q: ") else _in_prose(body)


def _in_row(body: str) -> Iterator[Mention]:
    name, *cells = body.split(_CELL)
    type = type_of(name)
    if type is None:
        return
    for cell in cells:
        noun, _, value = cell.partition(": ")
        attribute = _nouns(type).get(noun)
        if attribute and is_value(attribute, value):
            yield Mention(name, attribute, value)


@cache
def _nouns(type: Type) -> Mapping[str, Attribute]:
    return {one.noun: one for one in attributes(type)}


def _in_pairs(body: str) -> Iterator[Mention]:
    for pair in _PAIR.finditer(body):
        asked = plain_question(pair["question"])
        if asked and asked.attribute and is_value(asked.attribute, pair["value"]):
            yield replace(asked, value=pair["value"])


def _in_prose(body: str) -> Iterator[Mention]:
    for sentence in _SENTENCE.findall(body):
        found = next((found for one in _statements() if (found := one.find(sentence.lstrip()))), None)
        if found:
            yield found


@cache
def _statements() -> tuple[Templates, ...]:
    """The templates of statements, and of openers, which state nothing but name somebody."""
    return tuple(
        Templates(type, [(way, one) for one in attributes(type) for way in one.statements] + [(way, None) for way in OPENERS])
        for type in TYPES
    )
