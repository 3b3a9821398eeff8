"""Sample size and minimum detectable effect of comparisons.

Two-sided tests at level `alpha` with the given power; quantiles are of the normal distribution unless stated otherwise.
"""

from __future__ import annotations

import math

from scipy.stats import norm, t


def required_n(effect: float, p_disc: float, deff: float, *, alpha: float = 0.05, power: float = 0.80) -> int:
    """Number of questions for a paired comparison of two 0/1 arms: deff * (z_{1 - alpha/2} + z_power)^2 * (p_disc - d^2) / d^2.

    The formula is that of McNemar's test (Miettinen 1968), multiplied by the design effect.

    Args:
        effect: d, the difference of the two accuracies, above 0.
        p_disc: share of questions that exactly one arm answers correctly; at least `effect`, at most 1.
        deff: design effect of the clusters, at least 1; 1 = independent questions.
        alpha: level of the test.
        power: probability of detecting the effect.

    Returns:
        Number of questions, rounded up.

    Raises:
        ValueError: if an argument is outside its range, or no finite number of questions is enough.
    """
    if not 0 < effect <= p_disc:
        raise ValueError(f"expected 0 < effect <= p_disc, got {effect} and {p_disc}.")
    spread = _check(p_disc, deff) * _quantiles(alpha, power) ** 2 * (p_disc - effect**2)
    n = spread / effect**2 if effect**2 else math.inf
    if not math.isfinite(n):
        raise ValueError(f"expected an effect that a finite number of questions finds, got {effect} with a design effect of {deff}.")
    return math.ceil(n)


def minimum_detectable_effect(n: int, p_disc: float, deff: float, *, alpha: float = 0.05, power: float = 0.80) -> float:
    """Smallest difference that a paired comparison of n questions detects: the inverse of `required_n`.

    Args:
        n: number of questions, at least 1.
        p_disc: share of questions that exactly one arm answers correctly, above 0, at most 1.
        deff: design effect of the clusters, at least 1.
        alpha: level of the test.
        power: probability of detecting the effect.

    Returns:
        A difference of accuracies; inf if even the largest possible difference, p_disc, would be missed.

    Raises:
        ValueError: if an argument is outside its range.
    """
    if n < 1:
        raise ValueError(f"expected n >= 1, got {n}.")
    spread = _check(p_disc, deff) * _quantiles(alpha, power) ** 2
    effect = math.sqrt(spread * p_disc / (n + spread))
    return effect if effect <= p_disc else math.inf


def mde_from_se(se: float, df: float | None = None, *, alpha: float = 0.05, power: float = 0.80) -> float:
    """Smallest effect that a comparison with this standard error detects (Bloom 1995), in the units of `se`.

    Args:
        se: observed standard error, clustered if questions are.
        df: degrees of freedom of the standard error, for Student's t quantiles; None = normal quantiles.
        alpha: level of the test.
        power: probability of detecting the effect.

    Returns:
        (q_{1 - alpha/2} + q_power) * se.

    Raises:
        ValueError: if an argument is outside its range.
    """
    if not (se >= 0 and (df is None or df > 0)):
        raise ValueError(f"expected se >= 0 and df > 0 or None, got {se} and {df}.")
    return _quantiles(alpha, power, df) * se


def _quantiles(alpha: float, power: float, df: float | None = None) -> float:
    if not (0 < alpha < 1 and 0 < power < 1):
        raise ValueError(f"expected alpha and power between 0 and 1, got {alpha} and {power}.")
    levels = (1 - alpha / 2, power)
    return float(sum(norm.ppf(levels) if df is None else t.ppf(levels, df)))


def _check(p_disc: float, deff: float) -> float:
    """The design effect, after checking the ranges of both arguments.

    Args:
        p_disc: share of discordant pairs.
        deff: design effect.

    Returns:
        `deff`.

    Raises:
        ValueError: unless 0 < p_disc <= 1 and deff >= 1.
    """
    if not (0 < p_disc <= 1 and deff >= 1):
        raise ValueError(f"expected 0 < p_disc <= 1 and deff >= 1, got {p_disc} and {deff}.")
    return deff
