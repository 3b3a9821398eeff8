"""A row of the table: its claims, the runs that decide them, and its curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.effects.arms import Arms, Plan
from experiments.study import Run
from experiments.table.presets import Preset
from rag_eval.report.claims.claim import Results, TableClaim
from rag_eval.report.curve import Curve as Curve
from rag_eval.report.curve import Point as Point


def no_arms(_: Preset) -> Arms:
    """Of a row that sweeps nothing."""
    return {}


def no_work(_: Preset, __: Plan) -> Sequence[Run[Any, Any]]:
    """Of a row that measures nothing beside its arms."""
    return ()


def by_width(least: Arms, further: Arms) -> Callable[[Preset], Arms]:
    """Some arms in every preset, and further ones in wide presets."""
    return lambda size: least | further if size.is_wide else least


@dataclass(frozen=True)
class Row:
    """A row of the table."""

    name: str
    claims: Callable[[Preset], Sequence[TableClaim]]
    arms: Callable[[Preset], Arms]  # runs in each world, as overrides of `run.py`
    work: Callable[[Preset, Plan], Sequence[Run[Any, Any]]]  # other measurements, by name; each may use those made before it
    curves: Callable[[Preset, Results], Sequence[Curve]]
    sweeps: Callable[[Preset], Arms] = no_arms  # further arms, run in the first world alone: points of curves, each with a training
