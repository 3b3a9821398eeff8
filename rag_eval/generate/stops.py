"""Texts that end an answer, looked for in the answer alone, token by token."""

from __future__ import annotations

from collections.abc import Sequence

from rag_eval.generate.speech import Speech


class Stops:
    """Where an answer ends: once it has one of some texts that does not stand at its very beginning, white space aside."""

    def __init__(self, speech: Speech, texts: Sequence[str]) -> None:
        """
        Args:
            speech: takes the answer out of tokens.
            texts: those that end it.
        """
        self._speech, self._texts = speech, [text for text in texts if text]
        self._last = {text[-1] for text in self._texts}
        self._has_last: dict[int, bool] = {}  # token -> whether it has the last letter of such a text

    def is_reached(self, tokens: Sequence[int], prompt: Sequence[int]) -> bool:
        """Whether the answer among tokens that were written, without an end token, has one of them.

        Args:
            tokens: thought and answer.
            prompt: before them.
        """
        if not any(map(self._may_complete, tokens)):
            return False
        return self._speech.cut(self._speech.said(tokens, prompt), self._texts) is not None

    def _may_complete(self, token: int) -> bool:
        """A token whose own text lacks every last letter completes nothing. Alone, a token may lose a space or be a part of a letter."""
        if any(last == " " or not last.isascii() for last in self._last):
            return True
        if token not in self._has_last:
            self._has_last[token] = not self._last.isdisjoint(self._speech.text([token]))
        return self._has_last[token]
