"""Requests that are answered before the clock counts: caches fill and kernels are chosen, for every shape that will come."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice

from rag_eval.errors import DataError
from rag_eval.latency.schedule import bucket
from rag_eval.latency.single_request import silent
from rag_eval.system import System
from rag_eval.types import Example


def prompt_lengths(arm: str, system: System, questions: Sequence[Example]) -> list[int]:
    """Length of each question's prompt, passages included.

    Args:
        arm: name of the arm, for the error message.
        system: learned system; it writes the prompts and generates nothing.
        questions: questions to ask.

    Returns:
        Tokens per prompt, in order.

    Raises:
        DataError: if a question does not fit the model, because it cannot be timed.
    """
    predictions = silent(system).answer(questions)
    lost = [one.example_id for one in predictions if one.outcome == "error"]
    if lost:
        raise DataError(f"{arm}: {len(lost)} of {len(questions)} questions do not fit the model (first: {lost[0]!r}) and cannot be timed.")
    return [one.n_prompt_tokens or 0 for one in predictions]


def warm_up_positions(lengths: Sequence[int], n: int) -> list[int]:
    """Which questions warm up: n of each shape bucket, shortest bucket first; a bucket with fewer repeats its own."""
    members: dict[int, list[int]] = {}
    for at, length in enumerate(lengths):
        members.setdefault(bucket(length), []).append(at)
    return [at for shape in sorted(members) for at in islice(cycle(members[shape]), n)]
