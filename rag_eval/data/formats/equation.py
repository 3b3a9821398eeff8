"""Equations in one line: MathML of pages and OMML of Word files have the same shapes under other names."""

from __future__ import annotations

from rag_eval.data.formats.raised import grouped


def power(base: str, exponent: str) -> str:
    """x^2, x^(n+1); the base alone without an exponent."""
    return f"{grouped(base)}^{grouped(exponent)}" if exponent else base


def index(base: str, below: str) -> str:
    """x_i, x_(n+1)."""
    return f"{grouped(base)}_{grouped(below)}" if below else base


def fraction(above: str, below: str) -> str:
    """a/b, (a+1)/b."""
    return f"{grouped(above)}/{grouped(below)}"


def root(radicand: str, degree: str) -> str:
    """√x, √(x+1), 3√x."""
    return f"{degree}√{grouped(radicand)}"
