"""Does the difference between two arms follow from their parts? The additive model of latency; if not, something is measured wrongly."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from rag_eval.stats.estimate import estimate
from rag_eval.types import Estimate, Timing

TOLERANCE = 0.1  # of the measured difference


@dataclass(frozen=True)
class LatencyModel:
    """Prefill of n prompt tokens takes a + b n + c n^2, since attention is quadratic, and every further output token d + e n.

    A constant time per output token (e = 0) is what is usually assumed; on a processor it is not so, because every token
    looks back at the whole prompt.
    """

    a: float  # s
    b: float  # s per prompt token
    c: float  # s per prompt token squared
    d: float  # s per output token after the first
    e: float  # s per output token after the first and prompt token


def fit(timings: Sequence[Timing]) -> LatencyModel:
    """Fit the model of one device by non-negative least squares.

    Args:
        timings: timings of all arms, with stages prefill and decode.

    Returns:
        The coefficients, in seconds.

    Raises:
        ValueError: if the time of the first token is not known.
    """
    if not timings or any("prefill" not in one.seconds for one in timings):
        raise ValueError("expected timings with the stages prefill and decode, which only a generator that streams its tokens has.")
    n = np.array([one.n_prompt_tokens for one in timings], dtype=np.float64)
    further = np.array([max(0, one.n_output_tokens - 1) for one in timings], dtype=np.float64)
    a, b, c = _fitted([np.ones_like(n), n, n**2], [one.seconds["prefill"] for one in timings])
    d, e = _fitted([further, further * n], [one.seconds["decode"] if one.n_output_tokens > 1 else 0.0 for one in timings])
    return LatencyModel(a, b, c, d, e)


def predicted_gap(model: LatencyModel, arm: Sequence[Timing], other: Sequence[Timing]) -> float:
    """Seconds by which an answer of an arm takes longer than one of another, on average, from their parts.

    The stages before the model are measured (embed, search, rerank, prompt); the model's share follows from the tokens:
    the differences of the means of n, n^2, the further output tokens and their product with n, times b, c, d and e.
    Means are taken, because they add up and medians do not.
    """
    before = _mean(arm, _before_model) - _mean(other, _before_model)

    def modelled(one: Timing) -> float:
        n, further = one.n_prompt_tokens, max(0, one.n_output_tokens - 1)
        return model.b * n + model.c * n**2 + further * (model.d + model.e * n)

    return before + _mean(arm, modelled) - _mean(other, modelled)


def measured_gap(arm: Sequence[Timing], other: Sequence[Timing]) -> Estimate | None:
    """Difference of answering times of two arms, waiting excluded, paired by question.

    Args:
        arm: timings of the arm.
        other: timings of the arm that is subtracted, on the same questions.

    Returns:
        Mean difference in seconds; its interval treats the timings of a block as dependent. None if there is a single block.

    Raises:
        ValueError: if the arms answered different questions.
    """
    theirs = {one.example_id: one for one in other}
    if sorted(theirs) != sorted(one.example_id for one in arm):
        raise ValueError("the two arms answered different questions; measure them in one session.")
    gaps = [_service_s(one) - _service_s(theirs[one.example_id]) for one in arm]
    return estimate(gaps, [one.block for one in arm], binary=False, bounds=None)


def agrees(predicted_s: float, measured: Estimate) -> bool:
    """Whether the predicted gap is within 10 % of the measured one.

    A gap that its interval does not tell from 0 has no 10 %; then the prediction must lie in the interval.
    """
    if not is_told_from_0(measured):
        return measured.low <= predicted_s <= measured.high
    return abs(predicted_s - measured.mean) <= TOLERANCE * abs(measured.mean)


def is_told_from_0(gap: Estimate) -> bool:
    """Whether the interval of a gap leaves 0 out; of equal gaps, which have none, whether they are not 0."""
    return gap.mean != 0 if math.isnan(gap.low) else gap.low > 0 or gap.high < 0


def _fitted(terms: Sequence[NDArray[np.float64]], seconds: Sequence[float]) -> list[float]:
    columns = np.stack(terms, axis=1)
    scale = np.maximum(columns.max(axis=0), 1.0)  # the columns are of very different size
    found, _ = nnls(columns / scale, np.array(seconds))
    return [float(one) for one in found / scale]


def _mean(timings: Sequence[Timing], of: Callable[[Timing], float]) -> float:
    return fmean(map(of, timings))


def _before_model(timing: Timing) -> float:
    return sum(seconds for stage, seconds in timing.seconds.items() if stage not in {"prefill", "decode"})


def _service_s(timing: Timing) -> float:
    return timing.e2e_s - timing.queue_s
