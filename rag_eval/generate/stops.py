"""Texts that end an answer, looked for in the answer alone, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Stops:
    """Where an answer is cut: before the first of some texts that does not stand at its very beginning."""

    def __init__(self, tokenizer: Any, texts: Sequence[str]) -> None:
        """
        Args:
            tokenizer: turns tokens into text.
            texts: those that end an answer.
        """
        self._tokenizer, self._texts = tokenizer, [text for text in texts if text]
        self._last = {text[-1] for text in self._texts}
        self._completes: dict[int, bool] = {}  # token -> whether it may be the last of such a text

    def text(self, tokens: Sequence[int]) -> str:
        """What tokens say, special ones left out."""
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True))

    def cut(self, text: str) -> int | None:
        """Where such a text begins; None = there is none."""
        return min((at for stop in self._texts if (at := text.find(stop, 1)) >= 0), default=None)

    def is_reached(self, tokens: Sequence[int]) -> bool:
        """Whether an answer has one of them, once its last token is there, without which it had none."""
        return bool(self._texts) and self._may_complete(tokens[-1]) and self.cut(self.text(tokens)) is not None

    def _may_complete(self, token: int) -> bool:
        """A token whose own text lacks every last letter completes nothing. Alone, a token may lose a space or be a part of a letter."""
        if any(last == " " or not last.isascii() for last in self._last):
            return True
        if token not in self._completes:
            self._completes[token] = not self._last.isdisjoint(self.text([token]))
        return self._completes[token]
