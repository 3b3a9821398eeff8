"""The moment of the first token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class FirstToken:
    """Reads the clock when a model's first token is there: a streamer for the `generate` of transformers, batch of one."""

    def __init__(self, now: Callable[[], float]) -> None:
        """
        Args:
            now: reads the clock.
        """
        self._now = now
        self.at: float | None = None  # None = there is none yet
        self.n_tokens = -1  # so far, the end token included; the prompt, which is handed over first, makes it 0

    def put(self, tokens: Any) -> None:
        """Take what was made since the last call."""
        self.n_tokens += 1
        if self.n_tokens == 1:
            self.at = self._now()

    def end(self) -> None:
        """Nothing: the caller knows when the answer is complete."""
