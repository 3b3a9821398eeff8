"""Who is asked when: pure functions of the arms, the sizes and a seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise


@dataclass(frozen=True)
class Turn:
    """One arm's turn to answer one question."""

    block: int
    question: int  # its position
    arm: str


def bucket(n_tokens: int) -> int:
    """The shape bucket of a prompt: the smallest power of two that is not less than its tokens, at least 1."""
    return 1 << max(0, n_tokens - 1).bit_length()


def blocks(n_questions: int, n_blocks: int) -> list[range]:
    """Split questions into consecutive blocks of sizes as equal as possible.

    Args:
        n_questions: number of questions.
        n_blocks: number of blocks.

    Returns:
        Positions of the questions of each block.

    Raises:
        ValueError: if there are more blocks than questions, or none.
    """
    if not 1 <= n_blocks <= n_questions:
        raise ValueError(f"expected 1 to {n_questions} blocks, one a question, got {n_blocks}.")
    edges = [at * n_questions // n_blocks for at in range(n_blocks + 1)]
    return [range(first, last) for first, last in pairwise(edges)]


def rounds(arms: Sequence[str], n_rounds: int, seed: int) -> list[tuple[str, ...]]:
    """The order of all arms in each round: of two arms AB BA BA AB, or BA AB AB BA, drawn anew for every four rounds.

    Of m arms an order is drawn for every 2m rounds: each of its rotations, followed by its reverse. A drift of the machine
    that is linear in time cancels. How often an arm stands in a position differs between arms and positions by 2 at most, and
    not at all when n_rounds is a multiple of 2m.
    """
    draw = random.Random(f"rounds/{seed}")
    order: list[tuple[str, ...]] = []
    while len(order) < n_rounds:
        drawn = draw.sample(list(arms), len(arms))
        for shift in range(len(drawn)):
            turned = (*drawn[shift:], *drawn[:shift])
            order += [turned, turned[::-1]]
    return order[:n_rounds]


def interleaved(arms: Sequence[str], n_questions: int, n_blocks: int, seed: int) -> tuple[Turn, ...]:
    """Every question asked of every arm, question after question, the arms in the order of `rounds`."""
    order = rounds(arms, n_questions, seed)
    return tuple(
        Turn(at, question, arm) for at, block in enumerate(blocks(n_questions, n_blocks)) for question in block for arm in order[question]
    )


def poisson_arrivals(rate_per_s: float, n: int, seed: int) -> tuple[float, ...]:
    """Arrival times of a Poisson process: independent exponential gaps of mean 1 / rate.

    Args:
        rate_per_s: mean number of requests per second, above 0.
        n: number of requests.
        seed: seed of the gaps.

    Returns:
        Seconds from the start, ascending.

    Raises:
        ValueError: if the rate is not positive.
    """
    if rate_per_s <= 0:
        raise ValueError(f"expected a positive rate, got {rate_per_s}.")
    draw = random.Random(f"arrivals/{seed}")
    return tuple(accumulate(draw.expovariate(rate_per_s) for _ in range(n)))
