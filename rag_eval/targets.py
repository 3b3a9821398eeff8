"""Dotted names that configurations and records use: which packages they may name."""

from __future__ import annotations

PACKAGES = ("rag_eval", "synthworld")  # of this distribution


def is_ours(target: str) -> bool:
    """Whether a dotted name is of one of the packages of this distribution; whether there is such a thing is not looked at."""
    package, _, inside = target.partition(".")
    return package in PACKAGES and bool(inside)
