"""A model's chat template: what it is given beside the messages, how messages must be put for it, and what it writes of them.

A template is a program of the model's own. Nothing of what it does acts unseen: the day is fixed, variables that it reads and that are
not given are named, and a message that it leaves out is an error.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from hashlib import sha256
from typing import Any, Literal

from jinja2 import TemplateError, TemplateSyntaxError, meta, nodes

from rag_eval.control_tokens import parsed
from rag_eval.errors import ConfigError, DataError
from rag_eval.thinking import closing, opened
from rag_eval.types import Region

log = logging.getLogger(__name__)

Messages = Sequence[tuple[str, str]]  # (role, content): a system prompt, then questions and answers in turn, a question last

SWITCHES = ("enable_thinking", "thinking")  # variables that turn a thought on and off
EFFORTS = ("reasoning_effort", "reasoning_strength")  # variables that say how much is thought
GIVEN = frozenset({"messages", "add_generation_prompt", "tools", "documents", "bos_token", "eos_token", "pad_token", "unk_token"})
PROVIDED = frozenset({"raise_exception", "strftime_now", "namespace", "dict", "range"})  # functions of transformers and of Jinja

_CLOCK = "strftime_now"
_DATES = "template_dates"
_REFUSALS = (TemplateError, TypeError, ValueError, LookupError, AttributeError)  # of a template to messages that it is not made for
_PROBE = (("system", "Sxq1."), ("user", "Uxq1?"), ("assistant", "Axq1."), ("user", "Uxq2?"))
_ANSWER = "Axq2."


@dataclass(frozen=True)
class Shape:
    """How messages are put for a template that does not take them as they are."""

    system: Literal["role", "question"] = "role"  # question: at the head of the first one
    content: Literal["text", "parts"] = "text"  # parts: a list with one part of type text
    turns: Literal["roles", "question"] = "roles"  # question: earlier questions and answers stand in the last one

    def put(self, messages: Messages) -> list[dict[str, Any]]:
        """The messages as the template takes them."""
        put = [*messages]
        if self.turns == "question" and len(put) > 2:
            put = [put[0], (put[-1][0], _told(put[1:]))]
        if self.system == "question":
            (_, system), (role, first), *others = put
            put = [(role, f"{system}\n\n{first}"), *others]
        return [{"role": role, "content": content if self.content == "text" else [_part(content)]} for role, content in put]


# Those that change least come first.
IN_TURNS = (Shape(), Shape(system="question"), Shape(content="parts"), Shape(system="question", content="parts"))
SHAPES = (*IN_TURNS, *(replace(one, turns="question") for one in IN_TURNS))


@dataclass(frozen=True)
class ChatTemplate:
    """One template of a tokenizer, ready to write messages down."""

    tokenizer: Any
    source: str
    model: str  # how errors name it
    day: date  # that the template may write
    variables: Mapping[str, Any]  # given to it beside the messages

    def write(self, messages: Messages, marked: Mapping[str, str]) -> tuple[str, tuple[Region, ...]]:
        """The text for messages that end with a question, up to where the answer begins.

        Args:
            messages: whose contents are text.
            marked: words that stand in the contents for what a template or a tokenizer would take for more than text.

        Returns:
            The text with what the words stand for in their places, and these places.

        Raises:
            DataError: if the template refuses the messages, or leaves one out.
        """
        shape = self._with_turns if len(messages) > 2 else self._alone
        if len(messages) > 2 and shape.turns == "question":
            _ = self._turns_noted
        try:
            text, literal = _restored(self._rendered(shape.put(messages)), marked)
        except _REFUSALS as error:
            raise self._fault(f"refuses a prompt: {_line(error)}") from error
        missing = next((role for role, content in messages if _folded(_restored(content, marked)[0]) not in _folded(text)), None)
        if missing:
            raise self._fault(f"leaves out or rewrites a message of the {missing}")
        return text, literal

    @cached_property
    def lead(self) -> str:
        """What stands between a prompt and its answer: what the template writes there, or the end of a thought that it opened."""
        before, answered = _PROBE[:2], (*_PROBE[:2], ("assistant", _ANSWER))
        prompt = self._rendered(self._alone.put(before))
        try:
            whole = self._rendered(self._alone.put(answered), add_generation_prompt=False)
        except _REFUSALS:
            return closing(prompt)
        lead, answer, _ = whole.removeprefix(prompt).partition(_ANSWER)
        is_written = whole.startswith(prompt) and bool(answer) and not opened(prompt + lead)
        return lead if is_written else closing(prompt)

    def identity(self) -> dict[str, Any]:
        """What decides its text beside the messages; the day where it writes one."""
        return {
            "sha256": sha256(self.source.encode()).hexdigest(),
            "given": dict(self.variables),
            "not_given": sorted(read_by(self.source) - GIVEN - PROVIDED - self.variables.keys()),
            "day": self.day.isoformat() if self._dates else None,
            "shape": vars(self._alone),
            "shape_with_turns": vars(self._with_turns),
        }

    @cached_property
    def _alone(self) -> Shape:
        """For a system prompt and a question."""
        found, why = self._fitting(_PROBE[:2], IN_TURNS)
        if found is None:
            raise self._fault(f"does not write out a system prompt and a question, as text or as a list of parts ({why})")
        return found

    @cached_property
    def _with_turns(self) -> Shape:
        """For a conversation."""
        found, why = self._fitting(_PROBE, [self._alone, *SHAPES])
        if found is None:
            raise self._fault(f"does not write out the earlier turns of a conversation ({why})")
        return found

    def _fitting(self, messages: Messages, shapes: Iterable[Shape]) -> tuple[Shape | None, str]:
        """The first shape in which every message is in the text, each once and in order; or what spoke against the last."""
        why = ""
        for shape in shapes:
            try:
                text = self._rendered(shape.put(messages))
            except _REFUSALS as error:
                why = _line(error)
                continue
            places = {content: text.find(content) for _, content in messages}
            turns = [places[content] for role, content in messages if role != "system"]  # some put the system prompt before the last
            is_code = any(_head(written) in text for written in (str, json.dumps))
            if -1 not in places.values() and sorted(turns) == turns and not is_code:
                return shape, ""
            why = why or "a message is missing, out of order or written as code"
        return None, why

    def _rendered(self, messages: list[dict[str, Any]], add_generation_prompt: bool = True) -> str:
        dates = {_DATES: self._dates} if self._dates else {}
        source = f"{{%- macro {_CLOCK}(form) -%}}{{{{ {_DATES}[form] }}}}{{%- endmacro -%}}{self.source}" if dates else self.source
        given = {**self.variables, **dates}
        return str(
            self.tokenizer.apply_chat_template(
                messages, chat_template=source, tokenize=False, add_generation_prompt=add_generation_prompt, **given
            )
        )

    @cached_property
    def _dates(self) -> dict[str, str]:
        """The fixed day in each form in which the template asks for the current one."""
        calls = [one for one in parsed(self.source).find_all(nodes.Call) if isinstance(one.node, nodes.Name) and one.node.name == _CLOCK]
        forms = [one.args[0].value if one.args and isinstance(one.args[0], nodes.Const) else None for one in calls]
        if None in forms:
            raise self._fault(f"asks for the current date in a form that it makes itself ({_CLOCK}), so that no day can be set")
        return {form: self.day.strftime(form) for form in forms if form is not None}

    @cached_property
    def _turns_noted(self) -> bool:
        """True, once it was said."""
        log.warning("the chat template of %s takes no earlier turns: they are given as text in the question", self.model)
        return True

    def _fault(self, what: str) -> DataError:
        return DataError(f"the chat template of {self.model} {what}. Use prompt.style=plain, or a model with another template.")


def chat_template(tokenizer: Any, model: str, thinking: bool | None, day: date) -> ChatTemplate | None:
    """The template that a tokenizer gives its messages; None where it has none.

    Args:
        tokenizer: may have several by name, of which "default" is taken.
        model: how errors name it.
        thinking: whether the model is to think; None leaves that to the template.
        day: what the template gets for the current date.

    Raises:
        DataError: if there are templates and none is the default, or if it cannot be read.
        ConfigError: if thinking is set and the template reads no variable that says so.
    """
    named = tokenizer.chat_template
    if not named:
        if thinking is not None:
            raise ConfigError(f"generator.thinking is set, but {model} has no chat template that reads it. Set generator.thinking=null.")
        return None
    if isinstance(named, Mapping) and "default" not in named:
        raise DataError(
            f"{model} has chat templates named {', '.join(sorted(named))} and none named default. "
            "Put the one to use into chat_template.jinja of a copy of its folder, or set prompt.style=plain."
        )
    source = str(named["default"] if isinstance(named, Mapping) else named)
    try:
        read = read_by(source)
    except TemplateSyntaxError as error:
        raise DataError(f"the chat template of {model} cannot be read: {_line(error)}. Mend it, or set prompt.style=plain.") from error
    return ChatTemplate(tokenizer, source, model, day, {} if thinking is None else _switched(model, source, read, thinking))


def read_by(source: str) -> set[str]:
    """The variables that a template reads and that it may not have set before."""
    return meta.find_undeclared_variables(parsed(source))


def _switched(model: str, source: str, read: set[str], thinking: bool) -> dict[str, Any]:
    """What turns thinking on or off in a template."""
    switches = {name: thinking for name in SWITCHES if name in read}
    if switches:
        return switches
    has_none = any(one.value == "none" for one in parsed(source).find_all(nodes.Const))
    effort = "high" if thinking else "none" if has_none else "low"
    efforts: dict[str, Any] = {name: effort for name in EFFORTS if name in read}
    if not efforts:
        raise ConfigError(
            f"generator.thinking={str(thinking).lower()}: the chat template of {model} reads none of "
            f"{', '.join((*SWITCHES, *EFFORTS))}, so that it cannot be told. Set generator.thinking=null."
        )
    return efforts


def _told(turns: Messages) -> str:
    """Questions, answers and the last question as one text."""
    pairs = zip(turns[:-1:2], turns[1::2], strict=True)
    earlier = "".join(f"{question}\nAnswer: {answer}\n\n" for (_, question), (_, answer) in pairs)
    return f"{earlier}{turns[-1][1]}"


def _part(content: str) -> dict[str, str]:
    return {"type": "text", "text": content}


def _head(written: Any) -> str:
    """How a part begins where a template writes it as code."""
    return str(written(_part("")))[:-3]


def _restored(text: str, marked: Mapping[str, str]) -> tuple[str, tuple[Region, ...]]:
    """The text with every word replaced by what it stands for, and where that is."""
    if not marked:
        return text, ()
    pieces: list[str] = []
    regions: list[Region] = []
    for piece in re.split(f"({'|'.join(map(re.escape, marked))})", text):
        start = sum(map(len, pieces))
        pieces.append(marked.get(piece, piece))
        if piece in marked:
            regions.append((start, start + len(pieces[-1])))
    return "".join(pieces), tuple(regions)


def _folded(text: str) -> str:
    return " ".join(text.split())


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
