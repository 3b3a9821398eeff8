"""Whether an answer depends on what is answered beside it."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence

from rag_eval.protocols import Telling
from rag_eval.record.facts import AskedAgain
from rag_eval.stats.estimate import estimate
from rag_eval.system import System
from rag_eval.types import DISAGREEMENT, Estimate, Example, Prediction

PROBE_SHARE = 0.08  # of the time of all answers, for asking some of them again
ALONE = 3.0  # times a question's share of its batch that it is taken to need alone, before one was asked


def batch_disagreement(
    ready: System, predictions: Sequence[Prediction], questions: Sequence[Example], n: int
) -> tuple[dict[str, Estimate], AskedAgain]:
    """Share of a sample of answers that change when each question is asked alone, and how large the sample was.

    Greedy decoding is a function of the prompt, but sums in another order round differently, and a near tie then falls
    the other way. No more questions are asked than fit into a share of the time that all answers took.

    Args:
        ready: the learned system.
        predictions: its answers.
        questions: in the same order.
        n: how many to ask again, at most.

    Returns:
        No estimate where no model ran, or where one question alone takes more than that share.
    """
    if n == 0 or ready.generator.identity()["base_model"] is None:
        return {}, AskedAgain(0, 0)
    said = {one.example_id: one for one in predictions if one.outcome != "error"}
    probe = _in_any_order([example for example in questions if example.id in said])[:n]
    answers_s = sum(sum(one.seconds.values()) for one in predictions)
    left_s = PROBE_SHARE * answers_s if answers_s else math.inf
    alone_s = ALONE / _share_read(ready) * answers_s / max(1, len(predictions))  # of the slowest so far
    changed: list[float] = []
    for example in probe:
        if alone_s > left_s:
            break
        begun = time.perf_counter()
        changed.append(float(ready.answer([example])[0].text != said[example.id].text))
        took_s = time.perf_counter() - begun
        left_s, alone_s = left_s - took_s, max(took_s, alone_s) if len(changed) > 1 else took_s
    one = "one more" if changed else "asking one alone"
    why = f"{one} would take over {PROBE_SHARE:.0%} of the {answers_s:.1f} s of the answers" if len(changed) < len(probe) else None
    found = estimate(changed, [example.cluster or example.id for example in probe[: len(changed)]], binary=True)
    return {} if found is None else {DISAGREEMENT: found}, AskedAgain(len(probe), len(changed), why)


def _share_read(ready: System) -> float:
    """Share of the prompts' tokens that was computed: of a prompt alone all are."""
    decoded = ready.generator.decoded() if isinstance(ready.generator, Telling) else None
    return 1.0 if decoded is None else decoded.share_read or 1.0


def _in_any_order(examples: Sequence[Example]) -> list[Example]:
    """The examples in an order that is random, and the same for every arm and seed: each beginning of it is a sample."""
    return random.Random("batch").sample(list(examples), len(examples))
