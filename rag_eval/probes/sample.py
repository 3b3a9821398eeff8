"""A sample of questions that is the same for every arm and seed."""

from __future__ import annotations

import random
from collections.abc import Sequence

from rag_eval.types import Example


def sample(examples: Sequence[Example], limit: int | None, fingerprint: str) -> tuple[Example, ...]:
    """A sample of the examples, in their order; the same for every arm and every run seed on one dataset."""
    if limit is None or limit >= len(examples):
        return tuple(examples)
    chosen = set(random.Random(f"limit/{fingerprint}").sample(range(len(examples)), limit))
    return tuple(example for at, example in enumerate(examples) if at in chosen)
