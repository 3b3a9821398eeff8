"""How a row declares its claims: cell, threshold with its direction, and what measures it."""

from __future__ import annotations

from rag_eval.report.claims.claim import Kind, Measure, Precondition, Side, TableClaim
from rag_eval.score.primary import CONTAINS, EM
from rag_eval.stats.verdict import Claim, Direction

Cell = tuple[Side, Kind]
TUNED_PRO: Cell = ("fine-tuning", "pro")
TUNED_CON: Cell = ("fine-tuning", "con")
RAG_PRO: Cell = ("RAG", "pro")
RAG_CON: Cell = ("RAG", "con")
ANY = ("",)  # metrics of a claim that depends on none
MARGIN = 0.05  # what counts as no difference: three worlds of preset ci, some hundred entities, can tell no less

# Why MARGIN, five points, takes the place of the two points of the protocol: the interval of a difference that is 0 for every question
# still has the width that the number of clusters allows, and three worlds of preset ci have 96 entities.
BY_POWER = "margin by power: 0.02 takes 135 clusters even where no answer differs, 0.05 takes 54, three worlds have 96"

Limit = tuple[float, Direction, float | None]


def above(threshold: float) -> Limit:
    """The number is claimed to be above a threshold."""
    return threshold, "above", None


def below(threshold: float) -> Limit:
    """The number is claimed to be below a threshold."""
    return threshold, "below", None


def within(threshold: float, margin: float) -> Limit:
    """The number is claimed to be no further from a threshold than a margin."""
    return threshold, "equivalent", margin


def declare(
    id: str,
    cell: Cell,
    text: str,
    limit: Limit,
    contrast: str,
    source: str,
    measure: Measure,
    needs: tuple[str, ...],
    unit: str = "share",
    metrics: tuple[str, ...] = (EM, CONTAINS),
    is_of_capacity: bool = False,
    given: tuple[Precondition, ...] = (),
) -> TableClaim:
    """A claim of a cell.

    Args:
        id: ROW/SIDE-WHAT in kebab case; it stays, for others refer to it.
        cell: side, and pro or con.
        text: the statement.
        limit: from `above`, `below` or `within`.
        contrast: what is compared.
        source: of the expected direction and the threshold.
        measure: from results to the number.
        needs: arms and measurements.
        unit: of the number.
        metrics: that must agree; one where the number depends on none.
        is_of_capacity: whether it is about what an adapter cannot hold.
        given: what must hold for the number to say anything.

    Returns:
        The claim.
    """
    return TableClaim(id, *cell, Claim(id, text, *limit), contrast, source, measure, needs, unit, metrics, is_of_capacity, given)
