"""Verdicts on pre-declared claims: supported, refuted, inconclusive, not measured, or metric-dependent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

Direction = Literal["above", "below", "equivalent"]
Word = Literal["SUPPORTED", "REFUTED", "INCONCLUSIVE", "NOT MEASURED", "METRIC-DEPENDENT"]


class Bounded(Protocol):
    """Any object with an interval: Estimate, Interval, Equivalence."""

    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...


@dataclass(frozen=True)
class Claim:
    """A pre-declared statement about one number, with the threshold that decides it."""

    name: str
    text: str
    threshold: float  # in the units of the number
    direction: Direction  # above or below the threshold, or within the margin around it
    margin: float | None = None  # equivalence margin, above 0; only for "equivalent"

    def __post_init__(self) -> None:
        if (self.direction == "equivalent") != (self.margin is not None) or (self.margin is not None and not self.margin > 0):
            raise ValueError(
                f"{self.name}: expected a margin above 0 for equivalence and none else, got {self.margin} for {self.direction!r}."
            )


@dataclass(frozen=True)
class Verdict:
    """Verdict on a claim, as a word and as printed."""

    claim: Claim
    word: Word
    text: str  # the word; "INCONCLUSIVE(MDE=0.03)" for an inconclusive claim


def verdict(claim: Claim, found: Bounded | None, mde: float | None, found_90: Bounded | None = None) -> Verdict:
    """Verdict on a claim from the 95 % interval of its number.

    - above: supported if the whole interval is above the threshold, refuted if high <= threshold; below: mirrored.
    - equivalent: supported if the 90 % interval lies inside threshold +- margin, which is two one-sided tests at 5 %; refuted
      if the 95 % interval lies outside, touching at most. A non-significant difference is no support.
    - otherwise inconclusive, with the minimum detectable effect.

    Args:
        claim: the claim.
        found: the number with its 95 % interval; None or a limit that is nan = not measured.
        mde: minimum detectable effect of the comparison; None = not known.
        found_90: the same number with its 90 % interval, e.g. from `tost_paired` if the threshold is 0; required for, and only
            used by, equivalence claims.

    Returns:
        The verdict.

    Raises:
        ValueError: if the number of an equivalence claim was measured but has no 90 % interval.
    """
    if found is None or math.isnan(found.low) or math.isnan(found.high):
        return Verdict(claim, "NOT MEASURED", "NOT MEASURED")
    is_supported, is_refuted = _decide(claim, found, found_90)
    word: Word = "SUPPORTED" if is_supported else "REFUTED" if is_refuted else "INCONCLUSIVE"
    return undecided(claim, mde) if word == "INCONCLUSIVE" else Verdict(claim, word, word)


def undecided(claim: Claim, mde: float | None) -> Verdict:
    """INCONCLUSIVE with the minimum detectable effect; also used if the interval is not reliable."""
    known = "unknown" if mde is None or math.isnan(mde) else f"{mde:.2g}"
    return Verdict(claim, "INCONCLUSIVE", f"INCONCLUSIVE(MDE={known})")


def metric_dependent(claim: Claim) -> Verdict:
    """Verdict on a claim that two scores of the same answers decide differently."""
    return Verdict(claim, "METRIC-DEPENDENT", "METRIC-DEPENDENT")


def winner(difference: Bounded | None, names: tuple[str, str], threshold: float = 0.0) -> str | None:
    """The better of two arms by more than a threshold, from the 95 % interval of second - first.

    Args:
        difference: interval of second - first; None = not measured.
        names: names of the first and the second arm.
        threshold: smallest relevant difference, at least 0.

    Returns:
        Name of the better arm; None if the interval is not entirely beyond the threshold, or there is none.

    Raises:
        ValueError: if the threshold is below 0.
    """
    if not threshold >= 0:
        raise ValueError(f"expected a threshold of at least 0, got {threshold}.")
    if difference is None:
        return None
    first, second = names
    return second if difference.low > threshold else first if difference.high < -threshold else None


def _decide(claim: Claim, found: Bounded, found_90: Bounded | None) -> tuple[bool, bool]:
    """Decide a claim from its intervals.

    Args:
        claim: the claim.
        found: 95 % interval.
        found_90: 90 % interval, required for equivalence.

    Returns:
        Whether the claim is supported, and whether it is refuted.

    Raises:
        ValueError: if an equivalence claim has no 90 % interval.
    """
    if claim.direction == "above":
        return found.low > claim.threshold, found.high <= claim.threshold
    if claim.direction == "below":
        return found.high < claim.threshold, found.low >= claim.threshold
    if found_90 is None:
        raise ValueError(f"{claim.name}: equivalence is decided by a 90 % interval; give found_90.")
    least, most = claim.threshold - (claim.margin or 0.0), claim.threshold + (claim.margin or 0.0)
    return least < found_90.low and found_90.high < most, found.high <= least or found.low >= most
