"""Decompositions of accuracy by whether the evidence was in the prompt: exact identities over questions, without a model.

Every function takes float64 columns (n,) over the same questions: `right`, the score of each answer in [0, 1], and `hit`,
1.0 where all the evidence was in the prompt after truncation, else 0.0. All results are functions of sums over questions, so
with a `total` from `resampled` r resamples are computed at once and each result has shape (r,). A share over no question is nan.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]
_BLOCK = 1_000  # resamples summed at a time; sums are bit for bit those of all at once where it divides their number
Total = Callable[[Column], Column]  # maps a column to its sum, or to its sum in each resample


@dataclass(frozen=True)
class Parts:
    """acc = h * (1 - w_hit) + (1 - h) * (1 - w_miss), where the term of an empty stratum is 0."""

    acc: Column  # mean score
    h: Column  # share of questions with the evidence in the prompt
    w_hit: Column  # mean of 1 - score over these; nan if there are none
    w_miss: Column  # mean of 1 - score over the others; nan if there are none


@dataclass(frozen=True)
class Kitagawa:
    """acc_b - acc_a = retrieval + reading + fallback (Kitagawa 1955, weighted by the mean of both arms)."""

    retrieval: Column  # due to the share of questions with evidence in the prompt
    reading: Column  # due to accuracy with evidence in the prompt
    fallback: Column  # due to accuracy without it


def resampled(codes: NDArray[np.int64], weights: Column | NDArray[np.uint16]) -> Total:
    """Function that sums a column in each of r cluster resamples.

    Args:
        codes: int64 (n,), the cluster of each question, numbered from 0 without gaps.
        weights: (r, n_clusters), how often each resample contains each cluster; counts are made float64 a block of rows at a time.

    Returns:
        A function from float64 (n,) to float64 (r,).
    """

    def total(column: Column) -> Column:
        sums = np.bincount(codes, weights=column)
        blocks = (weights[start : start + _BLOCK] for start in range(0, len(weights), _BLOCK))
        return np.concatenate([block.astype(np.float64, copy=False) @ sums for block in blocks])

    return total


def parts(right: Column, hit: Column, total: Total = np.sum) -> Parts:
    """Terms of the decomposition of one arm.

    Args:
        right: float64 (n,), scores in [0, 1].
        hit: float64 (n,), 1.0 where all evidence was in the prompt, else 0.0.
        total: sum of a column, or `resampled` sums.

    Returns:
        The terms, scalars or of shape (r,).

    Raises:
        ValueError: if the columns differ in length, `hit` is not 0/1 or a score is outside [0, 1].
    """
    _check(right, hit)
    n, n_hit, n_miss = total(np.ones_like(hit)), total(hit), total(1 - hit)
    w_hit, w_miss = _share(total(hit * (1 - right)), n_hit), _share(total((1 - hit) * (1 - right)), n_miss)
    return Parts(total(right) / n, n_hit / n, w_hit, w_miss)


def kitagawa(a: Parts, b: Parts) -> Kitagawa:
    """Decompose the difference b - a into three terms that sum to it.

    If a stratum of an arm is empty (closed_book never has evidence in the prompt), its accuracy there is unknown. It is set to
    that of the other arm, so that the whole difference is attributed to retrieval.

    Args:
        a: terms of the first arm.
        b: terms of the second arm.

    Returns:
        The three terms, of the shape of the inputs.
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
    """Columns whose means are rescue and harm: score of b where a is wrong, and 1 - score of b where a is right; nan elsewhere.

    acc_b - acc_a = rescue * (1 - acc_a) - harm * acc_a.
    """
    return np.where(a == 0, b, np.nan), np.where(a == 1, 1 - b, np.nan)


def wrong_by_stratum(right: Column, hit: Column) -> tuple[Column, Column]:
    """The columns averaged by w_hit and w_miss: 1 - score where the evidence was in the prompt, and where it was not; nan elsewhere."""
    return np.where(hit == 1, 1 - right, np.nan), np.where(hit == 0, 1 - right, np.nan)


def _filled(a: Column, b: Column) -> tuple[Column, Column]:
    """Both arrays with nan replaced by the other's value, or by 0 where both are nan."""
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
