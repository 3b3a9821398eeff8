"""How many questions would decide what these did not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rag_eval.report.claims.claim import FEWEST_CLUSTERS, Finding
from rag_eval.report.table import Cell, Column, Table


def needed(one: Finding) -> int | None:
    """How many test questions a claim that is not decided would need, with as many questions a cluster as now.

    The minimum detectable effect falls with the root of the number of questions: it is to be no more than the distance that was found
    between the number and the threshold, or the end of the margin. Under `FEWEST_CLUSTERS` clusters, as many are needed at least.

    Args:
        one: an inconclusive finding.

    Returns:
        The number; None where none follows: what was found lies on the threshold, or it is a precondition or the training that leaves the
        claim open, not the width of its interval.
    """
    number, claim = one.number, one.claim.claim
    if number is None or one.verdict.word != "INCONCLUSIVE":
        return None
    few = 0
    if number.n_clusters is not None and 0 < number.n_clusters < FEWEST_CLUSTERS:
        few = math.ceil(number.n * FEWEST_CLUSTERS / number.n_clusters)
    if one.is_doubted and not few:
        return None
    distance = abs(number.mean - claim.threshold)
    if claim.direction == "equivalent" and claim.margin is not None:
        distance = abs(claim.margin - distance)
    if number.mde is None or not math.isfinite(number.mde) or not distance or not math.isfinite(distance):
        return few or None
    return max(few, number.n, math.ceil(number.n * (number.mde / distance) ** 2))


def needed_table(findings: Mapping[str, Sequence[Finding]]) -> Table:
    """What more questions would tell.

    Args:
        findings: of each row.

    Returns:
        A line for each inconclusive claim.
    """
    rows: list[tuple[Cell, ...]] = []
    for name, those in findings.items():
        for one in those:
            if one.verdict.word == "INCONCLUSIVE" and one.number is not None:
                n = needed(one)
                why = f": {one.reason}" if one.is_doubted else ""
                rows.append((one.claim.id, name, n_of(one), f"cannot be told{why}" if n is None else f"at least {n:,}"))
    reading = f"""Test questions from which on a claim would be decided, were the number that was found the true one: those whose minimum
detectable effect is its distance from the threshold (80 % power), and {FEWEST_CLUSTERS} clusters at least. Where questions are divided by
question, about half of those in the file are test questions. Of latency the number is one of requests."""
    header = tuple(Column(title, kind="text") for title in ("claim", "row", "n now (clusters)", "n needed"))
    return Table("How many questions would be needed", reading, header, tuple(rows))


def n_of(one: Finding) -> str:
    """Questions, requests or repetitions, and in brackets clusters, that a number rests on."""
    number = one.number
    if number is None:
        return "0"
    return f"{number.n:,}" if number.n_clusters is None else f"{number.n:,} ({number.n_clusters:,})"
