"""What a model wrote, as text: thought and answer apart, special tokens left out but for those that tell the two apart."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from rag_eval.thinking import MARKERS, Said, opened, split

_END_OF_PROMPT = 24  # tokens of a prompt in which a thought is opened, if it is


class Speech:
    """Tokens to what was said, by one tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def said(self, tokens: Sequence[int], prompt: Sequence[int]) -> Said:
        """The thought and the answer.

        Args:
            tokens: what was written, without the token that ended it.
            prompt: before it; it may have opened the thought.
        """
        return split(self._opener(prompt) + self.text(tokens))

    def n_thought(self, tokens: Sequence[int], prompt: Sequence[int]) -> int | None:
        """How many of the tokens are thought, the end of it included; None = none are."""
        answer, text = self.said(tokens, prompt).answer, self.text(tokens)
        if answer == text and not self._opener(prompt):
            return None
        # What is left once the first n tokens are gone holds the answer until they are more than the thought.
        return bisect_left(range(len(tokens)), True, key=lambda n: answer.strip() not in self.text(tokens[n + 1 :]))

    @staticmethod
    def cut(said: Said, stops: Sequence[str]) -> int | None:
        """Where a text that ends an answer begins in it, not at its very start nor in the white space there; None = there is none."""
        begin = max(1, len(said.answer) - len(said.answer.lstrip()))
        return min((at for stop in stops if (at := said.answer.find(stop, begin)) >= 0), default=None)

    def text(self, tokens: Sequence[int]) -> str:
        """What tokens spell."""
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
        """Special tokens that tell a thought from an answer."""
        return frozenset(id for id, token in self._special.items() if token in MARKERS)

    @cached_property
    def _hidden(self) -> frozenset[int]:
        return frozenset(self._special) - self._markers
