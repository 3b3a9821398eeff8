"""Stop texts, searched in the answer only, token by token."""

from __future__ import annotations

from collections.abc import Sequence

from rag_eval.generate.speech import Speech


class Stops:
    """Detects whether an answer contains a stop text that is not at its very beginning."""

    def __init__(self, speech: Speech, texts: Sequence[str]) -> None:
        """Configure the stop texts.

        Args:
            speech: decodes tokens.
            texts: stop texts.
        """
        self._speech, self._texts = speech, [text for text in texts if text]
        self._last = {text[-1] for text in self._texts}
        self._has_last: dict[int, bool] = {}  # token -> whether it contains the last character of a stop text

    def is_reached(self, tokens: Sequence[int], prompt: Sequence[int]) -> bool:
        """Whether the generated tokens contain a stop text in the answer.

        Args:
            tokens: reasoning and answer, without the end token.
            prompt: token ids of the prompt.

        Returns:
            True if a stop text was found.
        """
        if not any(map(self._may_complete, tokens)):
            return False
        return self._speech.cut(self._speech.said(tokens, prompt), self._texts) is not None

    def _may_complete(self, token: int) -> bool:
        """Whether a token can complete a stop text: its text contains a last character. True for spaces and non-ASCII characters."""
        if any(last == " " or not last.isascii() for last in self._last):
            return True
        if token not in self._has_last:
            self._has_last[token] = not self._last.isdisjoint(self._speech.text([token]))
        return self._has_last[token]
