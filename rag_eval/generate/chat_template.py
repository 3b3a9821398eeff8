"""Rendering of chat templates: variables, message formats that a template accepts, and validation of its output.

A template is a program supplied with the model. To make its effects visible, the date is fixed, variables that it reads but that are not
set are recorded, and a message that it omits raises an error.
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

from rag_eval.errors import ConfigError, DataError
from rag_eval.models.control_tokens import parsed
from rag_eval.models.thinking import closing, opened
from rag_eval.types import Region

log = logging.getLogger(__name__)

Messages = Sequence[tuple[str, str]]  # (role, content): a system prompt, then alternating questions and answers, a question last

SWITCHES = ("enable_thinking", "thinking")  # variables that switch reasoning on and off
EFFORTS = ("reasoning_effort", "reasoning_strength")  # variables that set the amount of reasoning
GIVEN = frozenset({"messages", "add_generation_prompt", "tools", "documents", "bos_token", "eos_token", "pad_token", "unk_token"})
PROVIDED = frozenset({"raise_exception", "strftime_now", "namespace", "dict", "range"})  # functions of transformers and of Jinja

_CLOCK = "strftime_now"
_DATES = "template_dates"
_REFUSALS = (TemplateError, TypeError, ValueError, LookupError, AttributeError)  # errors of a template for unsupported messages
_PROBE = (("system", "Sxq1."), ("user", "Uxq1?"), ("assistant", "Axq1."), ("user", "Uxq2?"))
_ANSWER = "Axq2."


@dataclass(frozen=True)
class Shape:
    """Message format for a template that does not support all of roles, plain content and several turns."""

    system: Literal["role", "question"] = "role"  # "question": the system prompt is prepended to the first question
    content: Literal["text", "parts"] = "text"  # "parts": a list with one part of type text
    turns: Literal["roles", "question"] = "roles"  # "question": earlier turns are written into the last question

    def put(self, messages: Messages) -> list[dict[str, Any]]:
        """Messages in this format."""
        put = [*messages]
        if self.turns == "question" and len(put) > 2:
            put = [put[0], (put[-1][0], _told(put[1:]))]
        if self.system == "question":
            (_, system), (role, first), *others = put
            put = [(role, f"{system}\n\n{first}"), *others]
        return [{"role": role, "content": content if self.content == "text" else [_part(content)]} for role, content in put]


# In order of preference: fewest changes first.
IN_TURNS = (Shape(), Shape(system="question"), Shape(content="parts"), Shape(system="question", content="parts"))
SHAPES = (*IN_TURNS, *(replace(one, turns="question") for one in IN_TURNS))


@dataclass(frozen=True)
class ChatTemplate:
    """A chat template of a tokenizer with its variables."""

    tokenizer: Any
    source: str
    model: str  # name in error messages
    day: date  # value of the current date
    variables: Mapping[str, Any]  # variables passed besides the messages

    def write(self, messages: Messages, marked: Mapping[str, str]) -> tuple[str, tuple[Region, ...]]:
        """Render messages up to the beginning of the answer.

        Args:
            messages: messages with text content, the last one a question.
            marked: placeholders in the contents, and the texts they stand for, which a template or tokenizer would otherwise interpret.

        Returns:
            The text with placeholders replaced, and the regions of the replaced texts.

        Raises:
            DataError: if the template rejects the messages or omits one.
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
        """Text between a prompt and its answer: as rendered by the template, or the end of a reasoning block that it opened."""
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
        """Everything that determines the rendered text besides the messages, including the date if it is used."""
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
        """Format for a system prompt and a question."""
        found, why = self._fitting(_PROBE[:2], IN_TURNS)
        if found is None:
            raise self._fault(f"does not write out a system prompt and a question, as text or as a list of parts ({why})")
        return found

    @cached_property
    def _with_turns(self) -> Shape:
        """Format for a conversation."""
        found, why = self._fitting(_PROBE, [self._alone, *SHAPES])
        if found is None:
            raise self._fault(f"does not write out the earlier turns of a conversation ({why})")
        return found

    def _fitting(self, messages: Messages, shapes: Iterable[Shape]) -> tuple[Shape | None, str]:
        """The first format for which every message is rendered once and in order; or None and the reason for the last failure."""
        why = ""
        for shape in shapes:
            try:
                text = self._rendered(shape.put(messages))
            except _REFUSALS as error:
                why = _line(error)
                continue
            places = {content: text.find(content) for _, content in messages}
            turns = [places[content] for role, content in messages if role != "system"]  # some templates move the system prompt
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
        """The fixed date in each format in which the template requests the current date.

        Returns:
            Formatted dates by format string.

        Raises:
            DataError: if a format is not a constant.
        """
        calls = [one for one in parsed(self.source).find_all(nodes.Call) if isinstance(one.node, nodes.Name) and one.node.name == _CLOCK]
        forms = [one.args[0].value if one.args and isinstance(one.args[0], nodes.Const) else None for one in calls]
        if None in forms:
            raise self._fault(f"asks for the current date in a form that it makes itself ({_CLOCK}), so that no day can be set")
        return {form: self.day.strftime(form) for form in forms if form is not None}

    @cached_property
    def _turns_noted(self) -> bool:
        """True after the warning about earlier turns was logged."""
        log.warning("the chat template of %s takes no earlier turns: they are given as text in the question", self.model)
        return True

    def _fault(self, what: str) -> DataError:
        return DataError(f"the chat template of {self.model} {what}. Use prompt.style=plain, or a model with another template.")


def chat_template(tokenizer: Any, model: str, thinking: bool | None, day: date) -> ChatTemplate | None:
    """Chat template of a tokenizer.

    Args:
        tokenizer: a tokenizer; if it has several templates, "default" is used.
        model: name in error messages.
        thinking: whether the model should reason before answering; None = the template's default.
        day: value of the current date.

    Returns:
        The template; None if the tokenizer has none.

    Raises:
        DataError: if there are templates but no default, or it cannot be parsed.
        ConfigError: if `thinking` is set and the template reads no variable for it.
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
    """Undeclared variables that a template reads."""
    return meta.find_undeclared_variables(parsed(source))


def _switched(model: str, source: str, read: set[str], thinking: bool) -> dict[str, Any]:
    """Variables that switch reasoning on or off.

    Args:
        model: name in error messages.
        source: the template.
        read: variables that it reads.
        thinking: whether the model should reason.

    Returns:
        Values by variable.

    Raises:
        ConfigError: if the template reads no such variable.
    """
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
    """Earlier questions and answers and the last question as one text."""
    pairs = zip(turns[:-1:2], turns[1::2], strict=True)
    earlier = "".join(f"{question}\nAnswer: {answer}\n\n" for (_, question), (_, answer) in pairs)
    return f"{earlier}{turns[-1][1]}"


def _part(content: str) -> dict[str, str]:
    return {"type": "text", "text": content}


def _head(written: Any) -> str:
    """Beginning of a content part if a template prints it as code."""
    return str(written(_part("")))[:-3]


def _restored(text: str, marked: Mapping[str, str]) -> tuple[str, tuple[Region, ...]]:
    """Text with placeholders replaced, and the regions of the replaced texts."""
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
