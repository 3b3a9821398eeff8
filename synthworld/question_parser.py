"""Questions of the invented world, recognised: of what kind they are and of whom and what they ask. No question is answered here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from synthworld.groups import superlative
from synthworld.knowledge import SEPARATOR, all_frames, plural
from synthworld.mention_finder import Mention, Templates, is_pronoun, is_value, mention, type_of
from synthworld.names import TYPES, Type
from synthworld.templates import Attribute, attributes

_PLAIN = "paraphrase"  # frames of this kind ask as plain questions do


@dataclass(frozen=True)
class Question:
    """A question that has been understood."""

    kind: str  # forward, or one of frames.yaml
    names: tuple[str, ...]  # of whom it asks, in its order
    attributes: tuple[Attribute, ...]  # in the order in which they are looked up: {noun}, {noun2}, {noun3}
    value: str = ""  # that it mentions
    is_larger: bool = False  # of values compared, the larger is meant
    year: int = 0  # as of which it asks
    key: str = ""  # of the JSON object that it wants
    options: tuple[str, ...] = ()  # that it offers


def resolved(text: str, earlier: Sequence[str]) -> Question | None:
    """Recognise a question and replace pronouns such as "this disease" by names.

    Args:
        text: the question.
        earlier: earlier questions, oldest first; a pronoun refers to the last named entity of its type.

    Returns:
        The question, with "" for a pronoun that refers to nobody; None if it is not understood.
    """
    question = recognized(text)
    if question is None:
        return None
    return replace(question, names=tuple(_meant(name, earlier) if is_pronoun(name) else name for name in question.names))


def _meant(pronoun: str, earlier: Sequence[str]) -> str:
    before = (question.names for text in reversed(earlier) if (question := recognized(text)))
    return next((name for names in before for name in names if not is_pronoun(name) and type_of(name) == type_of(pronoun)), "")


@lru_cache(maxsize=100_000)
def recognized(text: str) -> Question | None:
    """What a question asks, names as it has them; None for one that is none of the world's."""
    text = text.strip()
    if (found := plain_question(text)) and found.attribute:
        return Question("forward", (found.name,), (found.attribute,))
    matches = ((frame, match) for frame in _frames() if (match := frame.pattern.fullmatch(text)))
    return next((question for frame, match in matches if (question := _framed(frame.kind, match.groupdict()))), None)


def plain_question(text: str) -> Mention | None:
    """Of whom and what a plain question asks; None if it is none."""
    return next((found for one in _plain_templates() if (found := one.find(text))), None)


@cache
def _plain_templates() -> tuple[Templates, ...]:
    return tuple(Templates(type, [(way, one) for one in attributes(type) for way in _ways(one)]) for type in TYPES)


def _ways(attribute: Attribute) -> tuple[str, ...]:
    return (*attribute.questions, *(frame.replace("{noun}", attribute.noun) for frame in all_frames()[_PLAIN]))


@dataclass(frozen=True)
class _Frame:
    kind: str
    pattern: re.Pattern[str]


@cache
def _frames() -> tuple[_Frame, ...]:
    return tuple(_all_frames())


def _all_frames() -> Iterator[_Frame]:
    for kind, ways in all_frames().items():
        for way in ways if kind != _PLAIN else ():
            for type in TYPES if "{q}" not in way else TYPES[:1]:  # what surrounds a plain question is the same for all types
                yield _Frame(kind, _pattern(way, type))


def _pattern(frame: str, type: Type) -> re.Pattern[str]:
    """A frame with whatever can stand in its slots where it asks of a type."""
    slots = {
        **{slot: f"(?P<{slot}>{mention(type)})" for slot in ("x", "y")},
        "noun": f"(?P<noun>{_any_noun(type)})",
        **{slot: f"(?P<{slot}>{_any_noun(*TYPES)})" for slot in ("noun2", "noun3")},
        **{"type": type, "types": plural(type), "its": "(?:its|their)", "year": r"(?P<year>\d{4})"},
        **{slot: rf"(?P<{slot}>\w+)" for slot in ("more", "most", "key")},
        **{slot: f"(?P<{slot}>.+)" for slot in ("v", "q", "options")},
    }
    literal_and_slot = re.split(r"\{(\w+)\}", frame)
    return re.compile("".join(slots[part] if at % 2 else re.escape(part) for at, part in enumerate(literal_and_slot)))


def _any_noun(*types: Type) -> str:
    return f"(?:{'|'.join(re.escape(one.noun) for type in types for one in attributes(type))})"


@cache
def _by_noun() -> Mapping[str, Attribute]:
    return {one.noun: one for type in TYPES for one in attributes(type)}


def _framed(kind: str, slots: Mapping[str, str]) -> Question | None:
    """The question of a frame whose slots hold these; None where they cannot."""
    if "q" in slots:
        return _around(kind, slots)
    about = tuple(_by_noun()[slots[slot]] for slot in ("noun", "noun2", "noun3") if slot in slots)
    word = slots.get("more") or slots.get("most")
    value = _value(about[0], slots["v"]) if "v" in slots else ""
    is_larger = _is_larger(about[-1], word) if word else False
    if value is None or is_larger is None:
        return None
    return Question(kind, tuple(slots[slot] for slot in ("x", "y") if slot in slots), about, value, is_larger)


def _around(kind: str, slots: Mapping[str, str]) -> Question | None:
    """The question of a frame around a plain one."""
    inner = plain_question(slots["q"])
    if inner is None or inner.attribute is None:
        return None
    options = tuple(slots["options"].split(SEPARATOR)) if "options" in slots else ()
    year, key = int(slots.get("year", 0)), slots.get("key", "")
    return Question(kind, (inner.name,), (inner.attribute,), year=year, key=key, options=options)


def _value(attribute: Attribute, text: str) -> str | None:
    """The value that a text is; where it opens a sentence it may be with a capital of the sentence's."""
    return next((one for one in (text, text[0].lower() + text[1:]) if is_value(attribute, one)), None)


def _is_larger(attribute: Attribute, word: str) -> bool | None:
    """Whether a word such as "later" or "latest" means the larger of the attribute's values; None where it compares no such values."""
    smaller, larger = ((one, superlative(one)) for one in attribute.order or ("", ""))
    return word in larger if word in (*smaller, *larger) else None
