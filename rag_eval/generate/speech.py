"""Decoding of generated tokens to reasoning and answer; special tokens are removed except those that delimit reasoning."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from rag_eval.models.thinking import MARKERS, Said, opened, split

_END_OF_PROMPT = 24  # tokens at the end of a prompt in which an opening reasoning tag is looked for


class Speech:
    """Decodes tokens with one tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def said(self, tokens: Sequence[int], prompt: Sequence[int]) -> Said:
        """Reasoning and answer.

        Args:
            tokens: generated tokens without the end token.
            prompt: token ids of the prompt, which may have opened the reasoning.

        Returns:
            The two texts.
        """
        return split(self._opener(prompt) + self.text(tokens))

    def n_thought(self, tokens: Sequence[int], prompt: Sequence[int]) -> int | None:
        """Number of reasoning tokens, including the closing tag; None if there are none."""
        answer, text = self.said(tokens, prompt).answer, self.text(tokens)
        if answer == text and not self._opener(prompt):
            return None
        # The remaining tokens contain the answer as long as only reasoning tokens are removed.
        return bisect_left(range(len(tokens)), True, key=lambda n: answer.strip() not in self.text(tokens[n + 1 :]))

    @staticmethod
    def cut(said: Said, stops: Sequence[str]) -> int | None:
        """Position of the first stop text in the answer, ignoring those at its very beginning; None if there is none."""
        begin = max(1, len(said.answer) - len(said.answer.lstrip()))
        return min((at for stop in stops if (at := said.answer.find(stop, begin)) >= 0), default=None)

    def text(self, tokens: Sequence[int]) -> str:
        """Text of tokens."""
        if self._markers.isdisjoint(tokens):
            return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True))
        shown = [token for token in tokens if token not in self._hidden]
        return str(self._tokenizer.decode(shown, skip_special_tokens=False))

    def _opener(self, prompt: Sequence[int]) -> str:
        return opened(str(self._tokenizer.decode(list(prompt[-_END_OF_PROMPT:]), skip_special_tokens=False)))

    @cached_property
    def _special(self) -> dict[int, str]:
        return {id: token.content for id, token in self._tokenizer.added_tokens_decoder.items() if token.special}

    @cached_property
    def _markers(self) -> frozenset[int]:
        """Special tokens that delimit reasoning."""
        return frozenset(id for id, token in self._special.items() if token in MARKERS)

    @cached_property
    def _hidden(self) -> frozenset[int]:
        return frozenset(self._special) - self._markers
