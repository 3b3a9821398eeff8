"""What the data say of a claim that was declared before: supported, refuted, inconclusive, not measured, or that it depends."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

Direction = Literal["above", "below", "equivalent"]
Word = Literal["SUPPORTED", "REFUTED", "INCONCLUSIVE", "NOT MEASURED", "METRIC-DEPENDENT"]


class Bounded(Protocol):
    """Anything with an interval: an Estimate, an Interval, an Equivalence."""

    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...


@dataclass(frozen=True)
class Claim:
    """A sentence about one number, with the threshold that decides it, declared before the data were seen."""

    name: str
    text: str
    threshold: float  # in the units of the number
    direction: Direction  # above or below the threshold, or no further from it than the margin
    margin: float | None = None  # only of "equivalent": what counts as no difference, above 0

    def __post_init__(self) -> None:
        if (self.direction == "equivalent") != (self.margin is not None) or (self.margin is not None and not self.margin > 0):
            raise ValueError(
                f"{self.name}: expected a margin above 0 for equivalence and none else, got {self.margin} for {self.direction!r}."
            )


@dataclass(frozen=True)
class Verdict:
    """The word on a claim, and the word as printed."""

    claim: Claim
    word: Word
    text: str  # as the word, but "INCONCLUSIVE(MDE=0.03)"


def verdict(claim: Claim, found: Bounded | None, mde: float | None, found_90: Bounded | None = None) -> Verdict:
    """The verdict on a claim from the 95 % interval of its number.

    - above: supported where the whole interval is above the threshold, refuted where none of it is. An interval that
      only touches the threshold from below refutes, because the threshold itself is not above it; below: the same, mirrored.
    - equivalent: supported where the 90 % interval lies inside threshold +- margin, which is two one-sided tests at 5 %;
      refuted where the 95 % interval lies outside, touching at most. No significant difference supports nothing.
    - else inconclusive, with the effect that would have been found.

    Args:
        claim: declared beforehand.
        found: the number with its 95 % interval; None, or an end that is nan, = not measured.
        mde: the minimum detectable effect of the comparison; None = not known.
        found_90: the same number with its 90 % interval, as of `tost_paired` where the threshold is 0; only for
            equivalence, and needed there.

    Raises:
        ValueError: if the number of an equivalence claim was measured but has no 90 % interval.
    """
    if found is None or math.isnan(found.low) or math.isnan(found.high):
        return Verdict(claim, "NOT MEASURED", "NOT MEASURED")
    is_supported, is_refuted = _decide(claim, found, found_90)
    word: Word = "SUPPORTED" if is_supported else "REFUTED" if is_refuted else "INCONCLUSIVE"
    return undecided(claim, mde) if word == "INCONCLUSIVE" else Verdict(claim, word, word)


def undecided(claim: Claim, mde: float | None) -> Verdict:
    """Inconclusive, with the effect that would have been found: also where an interval is not to be relied on, whatever it says."""
    known = "unknown" if mde is None or math.isnan(mde) else f"{mde:.2g}"
    return Verdict(claim, "INCONCLUSIVE", f"INCONCLUSIVE(MDE={known})")


def metric_dependent(claim: Claim) -> Verdict:
    """The verdict where two scores of the same answers give the claim different words."""
    return Verdict(claim, "METRIC-DEPENDENT", "METRIC-DEPENDENT")


def winner(difference: Bounded | None, names: tuple[str, str], threshold: float = 0.0) -> str | None:
    """Which of two arms is better by more than a threshold, from the 95 % interval of second - first.

    Returns:
        None when the interval does not say: it holds a difference of at most the threshold, or there is none.

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
    """Whether it is supported, and whether it is refuted."""
    if claim.direction == "above":
        return found.low > claim.threshold, found.high <= claim.threshold
    if claim.direction == "below":
        return found.high < claim.threshold, found.low >= claim.threshold
    if found_90 is None:
        raise ValueError(f"{claim.name}: equivalence is decided by a 90 % interval; give found_90.")
    least, most = claim.threshold - (claim.margin or 0.0), claim.threshold + (claim.margin or 0.0)
    return least < found_90.low and found_90.high < most, found.high <= least or found.low >= most
