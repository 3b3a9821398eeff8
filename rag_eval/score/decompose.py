"""Where the answers of an arm come from: exact identities over questions, no model and no assumption.

Every function takes float64 columns (n,) over the same questions: `right`, the score of each answer in [0, 1], and `hit`,
1.0 where all the evidence stood in the prompt after truncation, else 0.0. Everything is made of sums over questions, so
a `total` of `resampled` sums computes r resamples at once; each result then has shape (r,). A share of no question is nan.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]
Total = Callable[[Column], Column]  # a column to its sum, or to its sum in each resample


@dataclass(frozen=True)
class Parts:
    """acc = h * (1 - w_hit) + (1 - h) * (1 - w_miss), where a share of no question counts as nothing."""

    acc: Column  # mean score
    h: Column  # share of questions whose evidence stood in the prompt
    w_hit: Column  # mean of 1 - score among them; nan where there are none
    w_miss: Column  # the same among the others

    def rebuilt(self) -> Column:
        """acc from the three other terms."""
        hit, miss = 1 - self.w_hit, 1 - self.w_miss
        return np.asarray(self.h * np.where(self.h > 0, hit, 0.0) + (1 - self.h) * np.where(self.h < 1, miss, 0.0))


@dataclass(frozen=True)
class Kitagawa:
    """acc_b - acc_a = retrieval + reading + fallback (Kitagawa 1955, with the mean of both arms as weights)."""

    retrieval: Column  # because evidence stood in the prompt more often
    reading: Column  # because the same evidence was read better
    fallback: Column  # because more was known without it


@dataclass(frozen=True)
class Flips:
    """What an arm changes about another: acc_b - acc_a = rescue * (1 - acc_a) - harm * acc_a."""

    rescue: Column  # mean score of b where a is wrong; nan where a is never wrong
    harm: Column  # mean of 1 - score of b where a is right; nan where a is never right


def resampled(codes: NDArray[np.int64], weights: Column) -> Total:
    """Sums in r resamples of clusters.

    Args:
        codes: int64 (n,), the cluster of each question, numbered from 0 without gaps.
        weights: float64 (r, n_clusters), how often each resample holds each cluster.
    """
    return lambda column: np.asarray(weights @ np.bincount(codes, weights=column))


def parts(right: Column, hit: Column, total: Total = np.sum) -> Parts:
    """The terms of one arm.

    Raises:
        ValueError: if the columns differ in length, `hit` is not 0/1 or a score is outside [0, 1].
    """
    _check(right, hit)
    n, n_hit, n_miss = total(np.ones_like(hit)), total(hit), total(1 - hit)
    w_hit, w_miss = _share(total(hit * (1 - right)), n_hit), _share(total((1 - hit) * (1 - right)), n_miss)
    return Parts(total(right) / n, n_hit / n, w_hit, w_miss)


def kitagawa(a: Parts, b: Parts) -> Kitagawa:
    """The difference b - a in three terms that sum to it.

    Where an arm never enters a stratum (closed_book never has evidence), nothing is known of how it would read there;
    it is taken to read as the other arm does, so that the whole difference is one of retrieval.
    """
    a_hit, b_hit = _filled(1 - a.w_hit, 1 - b.w_hit)
    a_miss, b_miss = _filled(1 - a.w_miss, 1 - b.w_miss)
    h = (a.h + b.h) / 2
    return Kitagawa(
        retrieval=(b.h - a.h) * ((a_hit + b_hit) / 2 - (a_miss + b_miss) / 2),
        reading=h * (b_hit - a_hit),
        fallback=(1 - h) * (b_miss - a_miss),
    )


def flipped(a: Column, b: Column) -> tuple[Column, Column]:
    """What `flips` averages: of each question the score of b where a is wrong, and 1 - it where a is right; nan elsewhere."""
    return np.where(a == 0, b, np.nan), np.where(a == 1, 1 - b, np.nan)


def wrong_by_stratum(right: Column, hit: Column) -> tuple[Column, Column]:
    """What w_hit and w_miss average: 1 - score where the evidence stood in the prompt, and where it did not; nan elsewhere."""
    return np.where(hit == 1, 1 - right, np.nan), np.where(hit == 0, 1 - right, np.nan)


def flips(a: Column, b: Column) -> Flips:
    """Rescue and harm of b over a, from the 0/1 scores of both.

    Raises:
        ValueError: if a score of a is neither 0 nor 1, or the columns do not fit together.
    """
    _check(b, a)
    rescue, harm = (_share(np.asarray(np.nansum(column)), np.asarray((~np.isnan(column)).sum())) for column in flipped(a, b))
    return Flips(rescue, harm)


def _filled(a: Column, b: Column) -> tuple[Column, Column]:
    """Both with the other's value where one is unknown, 0 where both are."""
    return np.nan_to_num(np.where(np.isnan(a), b, a)), np.nan_to_num(np.where(np.isnan(b), a, b))


def _share(part: Column, whole: Column) -> Column:
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0))


def _check(score: Column, is_one: Column) -> None:
    if score.shape != is_one.shape or score.ndim != 1 or not len(score):
        raise ValueError(f"expected two columns over the same questions, got shapes {score.shape} and {is_one.shape}.")
    if not np.isin(is_one, (0.0, 1.0)).all():
        raise ValueError("a column that must be 0 or 1 holds another value.")
    if not ((score >= 0) & (score <= 1)).all():
        raise ValueError("a score is outside [0, 1] or nan.")
