"""Prompts as the text and the token ids that a causal language model is given: chat template, begin token, text that stays text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cached_property
from hashlib import sha256
from typing import Any

from rag_eval.errors import DataError
from rag_eval.generate.chat_template import ChatTemplate, Messages, chat_template
from rag_eval.thinking import MARKERS
from rag_eval.tokenization import Tokenization
from rag_eval.types import Formatted, Rendered


class Prompting:
    """How prompts are put for one model."""

    def __init__(self, tokenizer: Any, n_embeddings: int | None, model: str, thinking: bool | None, day: date) -> None:
        """
        Args:
            tokenizer: of the model, or of its adapter.
            n_embeddings: tokens that the model knows; None = not known.
            model: how errors name it.
            thinking: whether the model is to think; None leaves that to its chat template.
            day: what the template gets for the current date.
        """
        self._tokenizer, self._n_embeddings, self._model, self._thinking, self._day = tokenizer, n_embeddings, model, thinking, day
        self._tokenization = Tokenization(tokenizer)

    @cached_property
    def template(self) -> ChatTemplate | None:
        """That of its chats; None = it has none.

        Raises:
            DataError: if none can be used.
            ConfigError: if thinking is set and it reads no variable that says so.
        """
        return chat_template(self._tokenizer, self._model, self._thinking, self._day)

    def identity(self) -> Mapping[str, Any]:
        """What acts on prompts beside their words: begin and end token, and the chat template; one that is refused acts on none."""
        try:
            template = None if self.template is None else self.template.identity()
        except DataError:
            template = {"is_refused": True}
        return {"begin": list(self._tokenization.begin), "end": self._tokenizer.eos_token_id, "chat_template": template}

    def formatted(self, prompt: Rendered) -> Formatted:
        """The text for a prompt: as the chat template puts it where there is one and the prompt's style is chat, plain otherwise.

        Raises:
            DataError: if the template refuses the prompt or leaves a message out.
        """
        if prompt.style == "plain" or self.template is None:
            return Formatted(prompt.text)
        messages, marked = _marked(prompt.messages, self._acting)
        text, literal = self.template.write(messages, marked)
        return Formatted(text, is_templated=True, literal=literal)

    def answered(self, prompt: Rendered, answer: str) -> Formatted:
        """That text and an answer as it follows, without the end token: after a blank where the prompt is plain text."""
        before = self.formatted(prompt)
        return before.followed_by(self.template.lead if before.is_templated and self.template else " ", answer)

    def ids(self, texts: Sequence[Formatted]) -> list[list[int]]:
        """Token ids of texts, in order.

        Raises:
            DataError: if the tokenizer gives a token that the model does not know.
        """
        encoded = self._tokenization.ids(texts)
        highest = max((id for ids in encoded for id in ids), default=0)
        if self._n_embeddings is not None and highest >= self._n_embeddings:
            raise DataError(
                f"{self._model}: its tokenizer gives token {highest} ({self._tokenization.tokenizer.convert_ids_to_tokens(highest)!r}), "
                f"but the model has {self._n_embeddings}. Use the tokenizer that belongs to it."
            )
        return encoded

    def plain_ids(self, texts: Sequence[str], limit: int | None) -> list[list[int]]:
        """Token ids of texts that no chat template surrounds, at most `limit` of each."""
        return [ids[:limit] for ids in self.ids([Formatted(text) for text in texts])]

    def spells_control(self, text: str) -> bool:
        """Whether a text spells a control token of the model."""
        return self._tokenization.spells_control(text)

    @cached_property
    def _acting(self) -> re.Pattern[str]:
        """What templates or tokenizers take for more than text."""
        tags = sorted(MARKERS, key=len, reverse=True)
        return re.compile("|".join(filter(None, (self._tokenization.pattern.pattern, *map(re.escape, tags)))))


def _marked(messages: Messages, acting: re.Pattern[str]) -> tuple[Messages, Mapping[str, str]]:
    """The messages with a word of its own, which no text holds, for whatever they spell that acts; and what each word stands for."""
    spelled = sorted({match.group() for _, content in messages for match in acting.finditer(content)})
    digest = sha256("\0".join(content for _, content in messages).encode()).hexdigest()[:24]
    words = {one: f"{digest}x{at}x" for at, one in enumerate(spelled)}
    marked = [(role, acting.sub(lambda match: words[match.group()], content)) for role, content in messages]
    return marked, {word: one for one, word in words.items()}
