"""The nearest valid name, for messages about one that is none."""

from __future__ import annotations

import difflib


def suggest(word: str, known: list[str]) -> str:
    """'; did you mean X?' where some known word is near, all of them where they are few, nothing otherwise."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else f"; known: {', '.join(known)}" if 0 < len(known) <= 20 else ""
