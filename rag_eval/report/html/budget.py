"""Texts cut to a size that all of them together may take."""

from __future__ import annotations

from collections.abc import Iterable

SHORTEST = 120  # bytes that every text keeps


def longest_kept(texts: Iterable[str], budget: int) -> int | None:
    """The length, in bytes of UTF-8, that texts are cut to so that together they keep to a budget; None = no text is cut.

    Shorter texts stay whole, and what they leave is shared by the longer ones.

    Args:
        texts: all of them.
        budget: in bytes; may be exceeded where every text is at its shortest.

    Returns:
        The length, at least SHORTEST.
    """
    sizes = sorted(_size(text) for text in texts)
    left = budget
    for at, size in enumerate(sizes):
        share = left // (len(sizes) - at)
        if size > share:
            return max(SHORTEST, share)
        left -= size
    return None


def beginning(text: str, limit: int | None) -> str:
    """As much of a text as a limit allows.

    Args:
        text: the whole.
        limit: in bytes of UTF-8; None = all of it.

    Returns:
        The beginning, without half a character at its end.
    """
    if limit is None or _size(text) <= limit:
        return text
    return text.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")


def remark(text: str, n_kept: int) -> str:
    """What is said behind the beginning of a text; "" where nothing is left out.

    Args:
        text: the whole.
        n_kept: characters of the beginning.

    Returns:
        The remark.
    """
    return f" … [{n_kept:,} of {len(text):,} characters]" if n_kept < len(text) else ""


def cut(text: str, limit: int | None) -> str:
    """The beginning of a text that is longer than a limit, with what is left out said.

    Args:
        text: the whole.
        limit: in bytes of UTF-8; None = it is not cut.

    Returns:
        The text, or its beginning and a remark.
    """
    kept = beginning(text, limit)
    return kept + remark(text, len(kept))


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
