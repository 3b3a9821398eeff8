"""Invented worlds that are drawn once a session, for tests that only read them."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from rag_eval.types import QADataset
from synthworld import dataset

DRAW = dataset.world
PARAMETERS = inspect.signature(DRAW)
DRAWN: dict[str, QADataset] = {}


@functools.wraps(DRAW)
def world(*args: Any, **named: Any) -> QADataset:
    """The world of `synthworld.dataset`; the same object for the same arguments."""
    given = PARAMETERS.bind(*args, **named)
    given.apply_defaults()
    key = repr(given.arguments)
    if key not in DRAWN:
        DRAWN[key] = DRAW(*args, **named)
    return DRAWN[key]
