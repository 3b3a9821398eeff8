"""Time to first token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class FirstToken:
    """Streamer for `generate` of transformers that records the time of the first token, for a batch of one."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Create the streamer.

        Args:
            now: returns the current time in seconds.
        """
        self._now = now
        self.at: float | None = None  # time of the first token; None = none yet
        self.n_tokens = -1  # tokens so far, including the end token; the prompt, which is passed first, makes it 0

    def put(self, tokens: Any) -> None:
        """Count a call of the streamer."""
        self.n_tokens += 1
        if self.n_tokens == 1:
            self.at = self._now()

    def end(self) -> None:
        """No effect."""
