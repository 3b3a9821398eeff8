"""Latency of several arms in one session, under one protocol: warm-up, interleaving, timings, conditions."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence

import torch

from rag_eval.errors import ConfigError
from rag_eval.latency.protocol import LatencyProtocol
from rag_eval.latency.record import ColdStart, LatencyRecord
from rag_eval.latency.scenarios import SCENARIOS, Bench
from rag_eval.latency.warm_up import prompt_lengths, warm_up_positions
from rag_eval.system import System
from rag_eval.types import Example


def measure(
    systems: Mapping[str, System],
    examples: Sequence[Example],
    protocol: LatencyProtocol,
    session: str,
    run_ids: Mapping[str, str],
    cold_starts: Mapping[str, ColdStart] | None = None,
    now: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> list[LatencyRecord]:
    """Time every arm on the same questions.

    Args:
        systems: learned systems by arm; all are in memory at the same time.
        examples: questions to draw from.
        protocol: protocol of the measurement.
        session: name of the measurement.
        run_ids: run whose answers the arm gives, by arm.
        cold_starts: results of `cold_start` by arm, required if the cache state is cold; None = warm.
        now: reads the clock, in seconds.
        sleep: waits for a number of seconds.

    Returns:
        The record of each arm, in the order of the arms.

    Raises:
        ConfigError: if there are fewer examples than questions to ask, or a generator cannot be timed.
        DataError: if a question does not fit a model.
        ValueError: if an arm lacks its run id or its cold start.
    """
    cold = cold_starts or {}
    for name, given in (("run id", run_ids), ("cold start", cold if protocol.cache_state == "cold" else systems)):
        if missing := [arm for arm in systems if arm not in given]:
            raise ValueError(f"expected a {name} for every arm, found none for {', '.join(missing)}.")
    questions = drawn(examples, protocol)
    warm_up = {
        arm: [questions[at] for at in warm_up_positions(prompt_lengths(arm, system, questions), protocol.n_warmup)]
        for arm, system in systems.items()
    }
    measured = SCENARIOS[protocol.scenario](Bench(systems, questions, warm_up, protocol, now, sleep))
    return [
        LatencyRecord(
            protocol={
                **protocol.fields(),
                "interleaved_with": [other for other in systems if other != arm],
                "device": system.generator.device,
                "dtype": system.generator.identity().get("dtype"),
                "threads": torch.get_num_threads(),
            },
            arm=arm,
            run_id=run_ids[arm],
            session=session,
            timings=measured[arm].timings,
            passes=measured[arm].passes,
            cold_start=cold.get(arm),
        )
        for arm, system in systems.items()
    ]


def drawn(examples: Sequence[Example], protocol: LatencyProtocol) -> list[Example]:
    """Draw the questions that are asked.

    Args:
        examples: questions to draw from.
        protocol: number of questions and seed.

    Returns:
        The questions.

    Raises:
        ConfigError: if there are fewer questions than the protocol wants.
    """
    n = protocol.n_queries
    if n > len(examples):
        raise ConfigError(f"latency.n_queries is {n}, but there are {len(examples)} questions; lower it or take a larger dataset.")
    return random.Random(f"questions/{protocol.seed}").sample(list(examples), n)
