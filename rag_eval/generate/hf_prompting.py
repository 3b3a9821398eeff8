"""Conversion of prompts to text and token ids: chat template, begin token, and escaping of control tokens in texts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cached_property
from hashlib import sha256
from typing import Any

from rag_eval.errors import DataError
from rag_eval.generate.chat_template import ChatTemplate, Messages, chat_template
from rag_eval.models.thinking import MARKERS
from rag_eval.models.tokenization import Tokenization
from rag_eval.types import Formatted, Prompt


class Prompting:
    """Prompt formatting for one model."""

    def __init__(self, tokenizer: Any, n_embeddings: int | None, model: str, thinking: bool | None, day: date) -> None:
        """Configure the formatting.

        Args:
            tokenizer: tokenizer of the model or of its adapter.
            n_embeddings: vocabulary size of the model; None = not known.
            model: name in error messages.
            thinking: whether the model should reason before answering; None = the template's default.
            day: value of the current date for the template.
        """
        self._tokenizer, self._n_embeddings, self._model, self._thinking, self._day = tokenizer, n_embeddings, model, thinking, day
        self._tokenization = Tokenization(tokenizer)

    @cached_property
    def template(self) -> ChatTemplate | None:
        """Chat template; None if the tokenizer has none.

        Returns:
            The template.

        Raises:
            DataError: if none can be used.
            ConfigError: if thinking is set and the template reads no variable for it.
        """
        return chat_template(self._tokenizer, self._model, self._thinking, self._day)

    def identity(self) -> Mapping[str, Any]:
        """Everything that determines the input besides the words of a prompt: begin and end tokens, chat template."""
        try:
            template = None if self.template is None else self.template.identity()
        except DataError:
            template = {"is_refused": True}
        return {"begin": list(self._tokenization.begin), "end": self._tokenizer.eos_token_id, "chat_template": template}

    def formatted(self, prompt: Prompt) -> Formatted:
        """Input text for a prompt: by the chat template if there is one and the prompt's style is chat, else plain.

        Args:
            prompt: the prompt.

        Returns:
            The text.

        Raises:
            DataError: if the template rejects the prompt or omits a message.
        """
        if prompt.style == "plain" or self.template is None:
            return Formatted(prompt.text)
        messages, marked = _marked(prompt.messages, self._acting)
        text, literal = self.template.write(messages, marked)
        return Formatted(text, is_templated=True, literal=literal)

    def answered(self, prompt: Prompt, answer: str) -> Formatted:
        """Input text followed by an answer, without the end token; separated by a space in plain style."""
        before = self.formatted(prompt)
        return before.followed_by(self.template.lead if before.is_templated and self.template else " ", answer)

    def ids(self, texts: Sequence[Formatted]) -> list[list[int]]:
        """Token ids of texts, in order.

        Args:
            texts: formatted texts.

        Returns:
            One list of ids per text.

        Raises:
            DataError: if the tokenizer returns a token without an embedding.
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
        """Token ids of texts without a chat template, truncated to `limit`."""
        return [ids[:limit] for ids in self.ids([Formatted(text) for text in texts])]

    def spells_control(self, text: str) -> bool:
        """Whether a text contains the spelling of a control token."""
        return self._tokenization.spells_control(text)

    @cached_property
    def _acting(self) -> re.Pattern[str]:
        """Pattern of everything that templates or tokenizers would interpret instead of treating it as text."""
        tags = sorted(MARKERS, key=len, reverse=True)
        return re.compile("|".join(filter(None, (self._tokenization.pattern.pattern, *map(re.escape, tags)))))


def _marked(messages: Messages, acting: re.Pattern[str]) -> tuple[Messages, Mapping[str, str]]:
    """Messages with a unique placeholder for each interpreted string, and the placeholders' meanings."""
    spelled = sorted({match.group() for _, content in messages for match in acting.finditer(content)})
    digest = sha256("\0".join(content for _, content in messages).encode()).hexdigest()[:24]
    words = {one: f"{digest}x{at}x" for at, one in enumerate(spelled)}
    marked = [(role, acting.sub(lambda match: words[match.group()], content)) for role, content in messages]
    return marked, {word: one for one, word in words.items()}
