"""Share of correct answers that are in the form of the gold answers: does exact match measure knowledge or format?

A model trained on the format answers "37"; an untrained one may answer "The user had a uid of 37.", which contains the gold
answer but is no exact match. Among answers that contain a gold answer, the share that also equals one separates the two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rag_eval.types import Estimate

OF_FORM = 0.1  # below this share exact match measures format
KEPT = 0.5  # below this share the format is not followed
ENOUGH = 5  # minimum number of answers with a gold answer: at a true share of 0.5, five answers all miss the format with p = 1/32

Scores = tuple[Estimate | None, Estimate | None]  # exact match, or another strict score, and containment of the same answers


def share_in_form(scores: Sequence[Scores]) -> float | None:
    """Share of exact matches among the answers that contain a gold answer, pooled over arms.

    Args:
        scores: per arm, the estimates of a strict score (exact match) and of containment on the same answers.

    Returns:
        A share; None if fewer than `ENOUGH` answers contain a gold answer or no arm has both scores.
    """
    known = [(a, b) for a, b in scores if a is not None and b is not None and not math.isnan(a.mean + b.mean)]
    equal, holding = (sum(one.mean * one.n for one in column) for column in zip(*known, strict=True)) if known else (0.0, 0.0)
    return equal / holding if holding >= ENOUGH - 1e-6 else None
