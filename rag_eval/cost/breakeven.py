"""When the dearer preparation pays: the numbers of questions and updates, and the price of an error, at which one arm
becomes the better choice. The first arm is what one has, the second what one considers instead.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rag_eval.cost.arm import WORDS, ArmCost, before_questions, check, check_positive, missing, total_cost
from rag_eval.types import Estimate

NOT_MEASURED: Literal["NOT MEASURED"] = "NOT MEASURED"


@dataclass(frozen=True)
class BreakEven:
    """Where the second arm begins or ceases to be the better choice.

    Verdicts: "from" value on, "until" value, "always", "never", or NOT MEASURED. A tie is "never": a change must gain
    something. The value is None but for the first two.

    low and high are the 95 % interval of the turning point, from that of the difference in cost of a question. All else is
    taken as exact, and with an exact numerator these ends are those of Fieller (1954). inf = unbounded: the difference may
    be 0, and then no number is so large that the turning point could not lie beyond it. None where no value in the interval
    makes a turning point, or no interval is known.
    """

    verdict: Literal["from", "until", "always", "never", "NOT MEASURED"]
    value: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = ""


def break_even_queries(first: ArmCost, second: ArmCost, *, hours: float, n_updates: float, saving: Estimate | None = None) -> BreakEven:
    """Q* = [(F_2 - F_1) + V (U_2 - U_1) + (S_2 - S_1) T] / (q_1 - q_2): number of questions at which the second arm pays.

    An arm that is dearer to prepare and cheaper per question pays from Q* on; one that is cheaper to prepare and dearer per question pays
    until Q*; one that is no dearer in either and cheaper in one pays always; any other never.

    Args:
        first: the present arm.
        second: the arm considered instead.
        hours: T, length of the horizon in hours.
        n_updates: V, number of changes of the documents.
        saving: q_1 - q_2 from paired questions, in usd. None = its ends are taken from the arms' own intervals, which is wider if the costs
            of a question correlate positively between the arms.

    Returns:
        Q* with its verdict and interval.

    Raises:
        ValueError: if the horizon is negative or not finite.
    """
    check(hours=hours, n_updates=n_updates)
    before = before_questions(first, hours, n_updates), before_questions(second, hours, n_updates)
    gain = _ends(first, second, saving)
    if before[0] is None or before[1] is None or gain is None:
        return BreakEven(NOT_MEASURED, reason=missing([first, second], hours, n_updates, needs_query=saving is None))
    extra = before[1] - before[0]
    reasons = {
        "from": f"{second.name} is dearer to prepare and cheaper a question",
        "until": f"{second.name} is cheaper to prepare and dearer a question",
        "always": f"{second.name} pays from the first question: it is no dearer to prepare and no dearer a question",
        "never": f"a question is no cheaper with {second.name}",
    }
    return _break_even([(extra, slope) for slope in gain], "from" if extra > 0 else "until", reasons)


def maximum_updates(first: ArmCost, second: ArmCost, *, hours: float, n_queries: float, saving: Estimate | None = None) -> BreakEven:
    """V* = [Q (q_1 - q_2) - (F_2 - F_1) - (S_2 - S_1) T] / (U_2 - U_1): number of updates up to which the second arm pays.

    An arm that is cheaper without updates and dearer per update pays until V*; one that is dearer without updates and cheaper per update
    pays from V* on; one that is no dearer in either and cheaper in one pays always; any other never.

    Args:
        first: the present arm.
        second: the arm considered instead.
        hours: T, length of the horizon in hours.
        n_queries: Q, number of questions.
        saving: as in `break_even_queries`.

    Returns:
        V* with its verdict and interval.

    Raises:
        ValueError: if the horizon is negative or not finite.
    """
    check(hours=hours, n_queries=n_queries)
    before = before_questions(first, hours, 0), before_questions(second, hours, 0)
    gain = _ends(first, second, saving)
    updates = first.update_usd, second.update_usd
    if before[0] is None or before[1] is None or updates[0] is None or updates[1] is None or gain is None:
        return BreakEven(NOT_MEASURED, reason=missing([first, second], hours, 1, needs_query=saving is None))
    slope = updates[0] - updates[1]
    extra = before[1] - before[0]
    reasons = {
        "from": f"{second.name} is dearer without updates and cheaper an update",
        "until": f"{second.name} is cheaper without updates and dearer an update",
        "always": f"{second.name} is no dearer without updates and no dearer an update",
        "never": f"{second.name} is no cheaper without updates and no cheaper an update",
    }
    return _break_even([(extra - n_queries * one, slope) for one in gain], "from" if slope > 0 else "until", reasons)


def indifference_error_price(first: ArmCost, second: ArmCost, *, hours: float, n_queries: float, n_updates: float) -> BreakEven:
    """e* = (Total_2 - Total_1) / [Q (acc_2 - acc_1)]: cost of a wrong answer, in usd, at which the second arm pays.

    An arm that is dearer and more often right pays if an error costs more than e* ("from"); one that is cheaper and less often right pays
    if it costs less ("until"); one that is no worse in either and better in one dominates ("always"); any other never pays. There is no
    interval, because the uncertainty of the accuracies would have to be included.

    Args:
        first: the present arm.
        second: the arm considered instead.
        hours: length of the horizon in hours.
        n_queries: Q, number of questions, above 0.
        n_updates: number of changes of the documents.

    Returns:
        e* with its verdict.

    Raises:
        ValueError: if the horizon is negative or not finite, or has no questions.
    """
    check_positive(n_queries=n_queries)
    totals = [total_cost(arm, hours=hours, n_queries=n_queries, n_updates=n_updates) for arm in (first, second)]
    if totals[0].usd is None or totals[1].usd is None or first.accuracy is None or second.accuracy is None:
        absent = [total.reason for total in totals] + [
            f"{arm.name}: {WORDS['accuracy']}" for arm in (first, second) if arm.accuracy is None
        ]
        return BreakEven(NOT_MEASURED, reason=", ".join(name for name in absent if name))
    reasons = {
        "from": f"{second.name} is dearer and more often right",
        "until": f"{second.name} is cheaper and less often right",
        "always": f"{second.name} dominates {first.name}",
        "never": f"{second.name} is neither cheaper nor more often right",
    }
    return _break_even([(totals[1].usd - totals[0].usd, n_queries * (second.accuracy - first.accuracy))], None, reasons)


def _break_even(lines: Sequence[tuple[float, float]], side: Literal["from", "until"] | None, reasons: Mapping[str, str]) -> BreakEven:
    """Where slope * x > cost holds for x of at least 0, that is, where the second arm gains more than it costs.

    Args:
        lines: cost and slope, the estimate first, then the ends of its interval.
        side: kind of turning point that the interval is of; None = no interval.
        reasons: reason by verdict.

    Returns:
        The turning point with its verdict.
    """
    cost, slope = lines[0]
    verdict: Literal["from", "until", "always", "never"]
    if slope > 0:
        verdict = "from" if cost > 0 else "always"
    elif slope < 0:
        verdict = "until" if cost < 0 else "never"
    else:
        verdict = "always" if cost < 0 else "never"
    value = cost / slope if verdict in ("from", "until") else None
    ends = [_turning_point(*line, side) for line in lines[1:]] if side else []
    has_interval = any(0 < end < math.inf for end in ends)
    return BreakEven(verdict, value, min(ends) if has_interval else None, max(ends) if has_interval else None, reasons[verdict])


def _turning_point(cost: float, slope: float, side: Literal["from", "until"]) -> float:
    """Where the second arm begins or ceases to pay; inf = beyond every number."""
    turns = slope > 0 if side == "from" else slope < 0
    return max(0.0, cost / slope) if turns else math.inf


def _ends(first: ArmCost, second: ArmCost, saving: Estimate | None) -> tuple[float, float, float] | None:
    """The saving a question, low and high end of its interval."""
    if saving is not None:
        return saving.mean, saving.low, saving.high
    one, other = first.query_usd, second.query_usd
    if one is None or other is None:
        return None
    return one.mean - other.mean, one.low - other.high, one.high - other.low
