"""Whether exact match tells who knows an answer, or only who writes it in the form of the gold answers.

A model that was trained on the answers' form gives "37"; one that was not gives "The user had a uid of 37.", which holds the same
content and is no exact match. The share of the answers holding a gold answer that also equal one tells the two apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rag_eval.types import Estimate

OF_FORM = 0.1  # a share below it: exact match measures form
KEPT = 0.5  # a share below it: the form is not kept
ENOUGH = 5  # answers that hold a gold answer; of a model that keeps the form half of the time 1 in 32 keeps it in none of five

Scores = tuple[Estimate | None, Estimate | None]  # exact match, or another strict score, and containment of the same answers


def share_in_form(scores: Sequence[Scores]) -> float | None:
    """Exact matches over answers that hold a gold answer, of one arm or of several together.

    Returns:
        None where fewer than ENOUGH answers hold a gold answer, or either score is missing: then nothing can be told.
    """
    known = [(a, b) for a, b in scores if a is not None and b is not None and not math.isnan(a.mean + b.mean)]
    equal, holding = (sum(one.mean * one.n for one in column) for column in zip(*known, strict=True)) if known else (0.0, 0.0)
    return equal / holding if holding >= ENOUGH - 1e-6 else None
