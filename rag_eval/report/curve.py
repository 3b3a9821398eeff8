"""Curves of reports: named series of points with intervals over one axis."""

from __future__ import annotations

from dataclasses import dataclass

from rag_eval.types import Estimate


@dataclass(frozen=True)
class Point:
    """A point of a curve with its 95 % interval; `low` and `high` are None where none was measured."""

    x: float
    mean: float
    low: float | None = None
    high: float | None = None
    n: int | None = None

    @classmethod
    def of(cls, x: float, one: Estimate) -> Point:
        """The point of an estimate."""
        return cls(x, one.mean, one.low, one.high, one.n)


@dataclass(frozen=True)
class Curve:
    """Named series of points over one axis."""

    id: str  # of its figure, in kebab case
    title: str
    x: str  # title of the axis, with the unit
    y: str
    series: dict[str, tuple[Point, ...]]
    log_x: bool = False
    log_y: bool = False
