"""Prompts as the text and the token ids that a causal language model is given: chat templates, special tokens, completions."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from jinja2 import TemplateError

from rag_eval.types import Rendered


def formatted(tokenizer: Any, prompt: Rendered) -> str:
    """The text that the model is given: its chat template where it has one and the prompt's style is chat, plain otherwise.

    A template that knows no system role gets the system prompt at the head of the first question.
    """
    if not tokenizer.chat_template or prompt.style == "plain":
        return prompt.text
    messages = [{"role": role, "content": content} for role, content in prompt.messages]
    system, first, *others = messages
    with suppress(TemplateError):
        text = _templated(tokenizer, messages)
        if system["content"].strip() in text:
            return text
    return _templated(tokenizer, [{**first, "content": f"{system['content']}\n\n{first['content']}"}, *others])


def completion(tokenizer: Any, answer: str) -> str:
    """An answer as it follows the formatted prompt, without the end token."""
    return answer if tokenizer.chat_template else f" {answer}"


def token_ids(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of formatted texts; a chat template writes its special tokens itself, without one the tokenizer adds them."""
    return list(tokenizer(list(texts), add_special_tokens=not tokenizer.chat_template, verbose=False)["input_ids"]) if texts else []


def plain_token_ids(tokenizer: Any, texts: Sequence[str], limit: int | None) -> list[list[int]]:
    """Token ids of texts that no chat template surrounds, at most `limit` of each."""
    return [ids[:limit] for ids in tokenizer(list(texts), verbose=False)["input_ids"]]


def _templated(tokenizer: Any, messages: list[dict[str, str]]) -> str:
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
