"""Linear notation of equations, shared by MathML (web pages) and OMML (Word files)."""

from __future__ import annotations

from rag_eval.data.formats.raised import grouped


def power(base: str, exponent: str) -> str:
    """x^2, x^(n+1); the base alone if the exponent is empty."""
    return f"{grouped(base)}^{grouped(exponent)}" if exponent else base


def index(base: str, below: str) -> str:
    """x_i, x_(n+1); the base alone if the index is empty."""
    return f"{grouped(base)}_{grouped(below)}" if below else base


def fraction(above: str, below: str) -> str:
    """a/b, (a+1)/b."""
    return f"{grouped(above)}/{grouped(below)}"


def root(radicand: str, degree: str) -> str:
    """√x, √(x+1), 3√x."""
    return f"{degree}√{grouped(radicand)}"
