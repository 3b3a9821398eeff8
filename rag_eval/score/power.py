"""How many questions a comparison needs, and how small an effect a comparison could have found.

Two-sided tests at level alpha, found with probability `power`; quantiles are of the normal distribution unless said.
"""

from __future__ import annotations

import math

from scipy.stats import norm, t


def required_n(effect: float, p_disc: float, deff: float, *, alpha: float = 0.05, power: float = 0.80) -> int:
    """Questions that a paired comparison of two 0/1 arms needs: deff * (z_{1 - alpha/2} + z_power)^2 * (p_disc - d^2) / d^2.

    The formula is that of McNemar's test (Miettinen 1968), times the design effect.

    Args:
        effect: d, the difference of the two shares that are right, above 0.
        p_disc: share of questions that exactly one arm gets right; no less than the effect, at most 1.
        deff: design effect of the clusters, at least 1; 1 = questions are independent.
        alpha: level of the test.
        power: probability of finding the effect.

    Raises:
        ValueError: if an argument is outside its range.
    """
    if not 0 < effect <= p_disc:
        raise ValueError(f"expected 0 < effect <= p_disc, got {effect} and {p_disc}.")
    return math.ceil(_check(p_disc, deff) * _quantiles(alpha, power) ** 2 * (p_disc - effect**2) / effect**2)


def minimum_detectable_effect(n: int, p_disc: float, deff: float, *, alpha: float = 0.05, power: float = 0.80) -> float:
    """The smallest difference that n questions would find: `required_n` the other way round, same arguments.

    Returns:
        A share; inf when even the largest possible difference, p_disc, would be missed.

    Raises:
        ValueError: if an argument is outside its range.
    """
    if n < 1:
        raise ValueError(f"expected n >= 1, got {n}.")
    spread = _check(p_disc, deff) * _quantiles(alpha, power) ** 2
    effect = math.sqrt(spread * p_disc / (n + spread))
    return effect if effect <= p_disc else math.inf


def mde_from_se(se: float, df: float | None = None, *, alpha: float = 0.05, power: float = 0.80) -> float:
    """The smallest effect that a comparison with this standard error would find (Bloom 1995), in the units of se.

    Args:
        se: observed standard error, clustered where questions are.
        df: degrees of freedom of the standard error, for Student quantiles; None = normal ones.
        alpha: level of the test.
        power: probability of finding the effect.

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
    """The design effect, if it and the share of discordant pairs are possible."""
    if not (0 < p_disc <= 1 and deff >= 1):
        raise ValueError(f"expected 0 < p_disc <= 1 and deff >= 1, got {p_disc} and {deff}.")
    return deff
