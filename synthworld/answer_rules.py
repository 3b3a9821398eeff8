"""Answers to understood questions from what passages state, and wrong answers of the same kinds."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Collection, Mapping, Sequence

from rag_eval.types import Stated
from synthworld.knowledge import SEPARATOR, in_house_style, mean_of
from synthworld.mention_finder import places
from synthworld.names import Names, Type
from synthworld.question_parser import Question
from synthworld.questions import NONE_OF_THESE
from synthworld.templates import Attribute


class Facts:
    """What statements say: of several that give the same attribute of somebody the first counts."""

    def __init__(self, stated: Sequence[Stated]) -> None:
        self._stated = stated
        self._first: dict[tuple[str, str], str] = {}
        for one in stated:
            self._first.setdefault((one.subject, one.attribute), one.value)

    def value(self, name: str, attribute: Attribute) -> str | None:
        """What somebody has; None = nothing is stated."""
        return self._first.get((name, attribute.name))

    def sharing(self, attribute: Attribute, value: str) -> list[str]:
        """The names of all who have a value, in the order of the statements."""
        return [name for (name, stated), has in self._first.items() if stated == attribute.name and has == value]

    def any_value(self, name: str, attribute: Attribute) -> frozenset[str]:
        """Whatever is stated of somebody, contradictions included."""
        return frozenset(one.value for one in self._stated if (one.subject, one.attribute) == (name, attribute.name))


def reply(question: Question, stated: Sequence[Stated]) -> str | None:
    """The answer by what is stated, in the form that the question asks for; None where nothing that is stated answers it."""
    return _ANSWERS[question.kind](question, Facts(_counting(question, stated)))


def wrong_reply(question: Question, stated: Sequence[Stated], right: str, rng: random.Random) -> str:
    """An answer of the same kind as the right one, which `reply` gives.

    A wrong value is none that any statement gives, as long as there is such a value.
    """
    return _WRONG[question.kind](question, Facts(stated), right, rng)


def _counting(question: Question, stated: Sequence[Stated]) -> Sequence[Stated]:
    """Those that count, the best first: as of a year the latest until then, undated ones as the oldest."""
    if question.kind != "as_of":
        return stated
    return sorted((one for one in stated if (one.year or 0) <= question.year), key=lambda one: -(one.year or 0))


def _owner(question: Question, facts: Facts) -> str | None:
    """Who has the one value that is asked for; None where what leads there is not stated."""
    name = question.names[0]
    if question.kind == "premise":
        return name if facts.value(name, question.attributes[0]) == question.value else None
    for attribute in question.attributes[:-1]:
        following = facts.value(name, attribute)
        if following is None:
            return None
        name = following
    return name


def _one_value(question: Question, facts: Facts) -> str | None:
    owner = _owner(question, facts)
    value = None if owner is None else facts.value(owner, question.attributes[-1])
    return None if value is None else _dressed(question, value)


def _dressed(question: Question, value: str) -> str | None:
    """A value in the form that is asked for; None where it has no such form."""
    match question.kind:
        case "json":
            return json.dumps({question.key: value})
        case "house":
            return in_house_style(value)
        case "number":
            return value.split()[0] if question.attributes[-1].kind == "number" else None
        case "choice":
            return next((one for one in (value, NONE_OF_THESE) if one in question.options), None)
        case _:
            return value


def _another_value(question: Question, facts: Facts, right: str, rng: random.Random) -> str:
    owner, attribute = _owner(question, facts), question.attributes[-1]
    said = facts.any_value(owner, attribute) if owner else frozenset()
    if question.kind == "choice":
        return _other(question.options, {right}, said, rng)
    taken = {value for value in said if _dressed(question, value) == right}
    return str(_dressed(question, _other_value(attribute, taken, said, rng)))


def _other_value(attribute: Attribute, taken: Collection[str], said: Collection[str], rng: random.Random) -> str:
    if attribute.link:
        return _invented(attribute.link, said, rng)
    return _other(attribute.values, taken, said, rng)


def _other(values: Sequence[str], taken: Collection[str], said: Collection[str], rng: random.Random) -> str:
    """One that is not taken, nor said if there is such a one."""
    free = [value for value in values if value not in taken]
    return rng.choice([value for value in free if value not in said] or free)


def _invented(type: Type, taken: Collection[str], rng: random.Random) -> str:
    """The name of nobody."""
    return Names(rng, reserved=False, taken=taken).draw(type)


def _whose(question: Question, facts: Facts) -> str | None:
    return next(iter(facts.sharing(question.attributes[0], question.value)), None)


def _another_name(question: Question, facts: Facts, right: str, rng: random.Random) -> str:
    return _invented(question.attributes[0].type, facts.sharing(question.attributes[0], question.value), rng)


def _compared(question: Question, facts: Facts) -> str | None:
    """Who has the smaller or the larger value; None where the two are equal or one is not stated."""
    (attribute,) = question.attributes
    values = [facts.value(name, attribute) for name in question.names]
    sizes = [places(attribute.name)[value] for value in values if value is not None]
    if len(set(sizes)) < 2:
        return None
    return question.names[(sizes[1] > sizes[0]) == question.is_larger]


def _the_other_name(question: Question, facts: Facts, right: str, rng: random.Random) -> str:
    return next(name for name in question.names if name != right)


def _count(question: Question, facts: Facts) -> str | None:
    n = len(facts.sharing(question.attributes[0], question.value))
    return str(n) if n else None


def _miscounted(question: Question, facts: Facts, right: str, rng: random.Random) -> str:
    return str(int(right) + rng.choice((-1, 1)))


def _list(question: Question, facts: Facts) -> str | None:
    return SEPARATOR.join(facts.sharing(question.attributes[0], question.value)) or None


def _one_name_wrong(question: Question, facts: Facts, right: str, rng: random.Random) -> str:
    names = right.split(SEPARATOR)
    names[rng.randrange(len(names))] = _invented(question.attributes[0].type, names, rng)
    return SEPARATOR.join(names)


def _group_values(question: Question, facts: Facts) -> list[str]:
    """The second attribute of all who share the value of the first, as far as it is stated."""
    group, measure = question.attributes
    return [value for name in facts.sharing(group, question.value) if (value := facts.value(name, measure)) is not None]


def _extreme(question: Question, facts: Facts) -> str | None:
    values = sorted(_group_values(question, facts), key=places(question.attributes[1].name).__getitem__)
    return values[-question.is_larger] if values else None


def _mean(question: Question, facts: Facts) -> str | None:
    values = _group_values(question, facts)
    if not values or question.attributes[1].kind != "number":
        return None
    return mean_of(values)


def _another_measure(question: Question, facts: Facts, right: str, rng: random.Random) -> str:
    return _other_value(question.attributes[1], {right}, (), rng)


def _is_true(question: Question, facts: Facts) -> str | None:
    value = facts.value(question.names[0], question.attributes[0])
    return None if value is None else "yes" if value == question.value else "no"


def _denied(question: Question, facts: Facts, right: str, rng: random.Random) -> str:
    return "no" if right == "yes" else "yes"


def _all_values(question: Question, facts: Facts) -> str | None:
    values = [facts.value(question.names[0], attribute) for attribute in question.attributes]
    return None if None in values else SEPARATOR.join(map(str, values))


def _one_value_wrong(question: Question, facts: Facts, right: str, rng: random.Random) -> str:
    values = right.split(SEPARATOR)
    at = rng.randrange(len(values))
    attribute = question.attributes[at]
    values[at] = _other_value(attribute, {values[at]}, facts.any_value(question.names[0], attribute), rng)
    return SEPARATOR.join(values)


_SINGLE = ("forward", "two_hop", "three_hop", "choice", "as_of", "premise", "json", "number", "house")  # ask for one value
_ANSWERS: Mapping[str, Callable[[Question, Facts], str | None]] = {
    **dict.fromkeys(_SINGLE, _one_value),
    "reverse": _whose,
    "comparison": _compared,
    "count": _count,
    "list": _list,
    "extreme": _extreme,
    "mean": _mean,
    "boolean": _is_true,
    "long": _all_values,
}
_WRONG: Mapping[str, Callable[[Question, Facts, str, random.Random], str]] = {
    **dict.fromkeys(_SINGLE, _another_value),
    "reverse": _another_name,
    "comparison": _the_other_name,
    "count": _miscounted,
    "list": _one_name_wrong,
    "extreme": _another_measure,
    "mean": _another_measure,
    "boolean": _denied,
    "long": _one_value_wrong,
}
