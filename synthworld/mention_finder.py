"""How names, values and sentences of the invented world are recognised: by their forms and templates, never from a list of names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from synthworld.names import FIRMS, KINDS, MEDICINES, TOWNS, TYPES, Type
from synthworld.templates import Attribute, named, this

_STEM = r"[A-Z]\w*"
_FORMS: Mapping[Type, str] = {
    "disease": rf"{_STEM} (?:{'|'.join(KINDS)})",
    "gene": r"[A-Z]{2}[1-9]+[A-Z]{2}",
    "drug": rf"{_STEM}(?:{'|'.join(MEDICINES)})\b",
    "person": rf"[A-Z][a-z]+ (?!(?:{'|'.join(FIRMS)})\b)[A-Z][a-z]+",
    "company": rf"{_STEM} (?:{'|'.join(FIRMS)})",
    "city": rf"{_STEM}(?:{'|'.join(TOWNS)})\b",
}
_PRONOUNS = frozenset(map(this, TYPES))
_SIBLING = r"(?: type \d+| [IVX]+)?"


def mention(type: Type) -> str:
    """The regular expression, without groups, of a name of a type, or of "this disease" where it stands for one."""
    return rf"(?:{_FORMS[type]}{_SIBLING}|[Tt]{this(type)[1:]})"


@lru_cache(maxsize=100_000)
def type_of(name: str) -> Type | None:
    """The type of entity that a name, or "this disease", tells by its form; None = it is no name."""
    return next((type for type in _FORMS if _alone(type).fullmatch(name)), None)


def is_pronoun(name: str) -> bool:
    """Whether it is "this disease" or the like."""
    return name[:1].lower() + name[1:] in _PRONOUNS


def is_value(attribute: Attribute, text: str) -> bool:
    """Whether an attribute could have it as its value: one of its pool, or for a link any name of that type."""
    return text in places(attribute.name) if attribute.values else type_of(text) == attribute.link and not is_pronoun(text)


@cache
def places(name: str) -> Mapping[str, int]:
    """Where in the pool of the attribute of that name each value stands, from 0: values that can be compared stand in their order."""
    return {value: at for at, value in enumerate(named(name).values)}


@dataclass(frozen=True)
class Mention:
    """What a sentence was recognised as."""

    name: str  # as the sentence has it: maybe "this disease"
    attribute: Attribute | None  # None = it is about nothing in particular
    value: str  # "" where the template has no place for one


@dataclass(frozen=True)
class _Ending:
    """What follows the name in a template."""

    until: str  # the value, or the end
    after: str  # the value
    has_value: bool
    attribute: Attribute | None

    def value_in(self, rest: str) -> str | None:
        """What stands in the value's place; None where the rest of a sentence is not of this form."""
        if not self.has_value:
            return "" if rest == self.until else None
        if not (rest.startswith(self.until) and rest.endswith(self.after)):
            return None
        value = rest[len(self.until) : len(rest) - len(self.after)]
        return value if self.attribute and is_value(self.attribute, value) else None


class Templates:
    """Templates of sentences that name an entity of one type: looked up by the words before the name."""

    def __init__(self, type: Type, templates: Iterable[tuple[str, Attribute | None]]) -> None:
        """Compile templates of sentences about one type of entity.

        Args:
            type: type of the entity in the place of {x}.
            templates: sentences with {x} and, after it, optionally {v}, each with the attribute that it is about.
        """
        self._endings: dict[str, list[_Ending]] = {}
        for template, attribute in templates:
            before, _, rest = template.partition("{x}")
            self._endings.setdefault(before, []).extend(_endings(rest, attribute))
        longest_first = sorted(self._endings, key=len, reverse=True)
        self._begins = re.compile(rf"({'|'.join(map(re.escape, longest_first))})({mention(type)})")

    def find(self, sentence: str) -> Mention | None:
        """What a whole sentence says; None where it comes from none of the templates."""
        begun = self._begins.match(sentence)
        if begun is None:
            return None
        rest = sentence[begun.end() :]
        for ending in self._endings[begun[1]]:
            if (value := ending.value_in(rest)) is not None:
                return Mention(begun[2], ending.attribute, value)
        return None


def _endings(rest: str, attribute: Attribute | None) -> list[_Ending]:
    """One, or two where the article before the value depends on the value."""
    until, has_value, after = rest.partition("{v}")
    ways = (until, f"{until[:-1]}n ") if until.endswith(" a ") else (until,)
    return [_Ending(one, after, bool(has_value), attribute) for one in ways]


@cache
def _alone(type: Type) -> re.Pattern[str]:
    return re.compile(mention(type))
