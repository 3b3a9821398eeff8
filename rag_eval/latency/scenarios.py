"""The three scenarios, run: every arm answers every question, with garbage collection off while the clock runs."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby

from rag_eval.latency.protocol import LatencyProtocol
from rag_eval.latency.record import Pass
from rag_eval.latency.schedule import blocks, interleaved, poisson_arrivals, rounds
from rag_eval.latency.single_request import alone
from rag_eval.progress import progress
from rag_eval.system import System
from rag_eval.types import Example, Prediction, Timing


@dataclass(frozen=True)
class Bench:
    """What a scenario runs on."""

    systems: Mapping[str, System]  # by arm, ready to answer
    questions: Sequence[Example]
    warm_up: Mapping[str, Sequence[Example]]  # by arm, answered first and not counted
    protocol: LatencyProtocol
    now: Callable[[], float]  # reads the clock, in seconds
    sleep: Callable[[float], None]  # for so many seconds


@dataclass(frozen=True)
class Measured:
    """What a scenario gives for one arm."""

    timings: tuple[Timing, ...] = ()  # in the order of asking
    passes: tuple[Pass, ...] = ()


def single_stream(bench: Bench) -> dict[str, Measured]:
    """One question at a time, each asked of every arm before the next."""
    systems = _warm(bench)
    protocol = bench.protocol
    turns = interleaved(list(systems), len(bench.questions), protocol.n_blocks, protocol.seed)
    timings: dict[str, list[Timing]] = {arm: [] for arm in systems}
    with progress("timing", len(turns)) as advance:
        for _, block in groupby(turns, key=lambda turn: turn.block):
            with _undisturbed():
                for turn in block:
                    begun = bench.now()
                    (said,) = systems[turn.arm].answer([bench.questions[turn.question]])
                    timings[turn.arm].append(_timing(said, turn.block, arrived=begun, begun=begun, ended=bench.now()))
                    advance(1)
    return {arm: Measured(timings=tuple(all_)) for arm, all_ in timings.items()}


def poisson(bench: Bench) -> dict[str, Measured]:
    """Questions arrive at random times and wait for the one worker; arms take turns by block, each with the same arrivals."""
    systems = _warm(bench)
    protocol = bench.protocol
    arrivals = poisson_arrivals(protocol.rate_per_s or 0.0, len(bench.questions), protocol.seed)
    order = rounds(list(systems), protocol.n_blocks, protocol.seed)
    timings: dict[str, list[Timing]] = {arm: [] for arm in systems}
    with progress("timing", len(arrivals) * len(systems)) as advance:
        for at, block in enumerate(blocks(len(arrivals), protocol.n_blocks)):
            before = arrivals[block[0] - 1] if block[0] else 0.0
            for arm in order[at]:
                due = [(bench.questions[one], arrivals[one] - before) for one in block]
                timings[arm] += _serve(systems[arm], due, at, bench)
                advance(len(due))
    return {arm: Measured(timings=tuple(all_)) for arm, all_ in timings.items()}


def _serve(system: System, due: Sequence[tuple[Example, float]], block: int, bench: Bench) -> list[Timing]:
    """Answer questions from their times of arrival on, in seconds from now, one after the other."""
    timings = []
    with _undisturbed():
        start = bench.now()
        for question, at in due:
            wait = start + at - bench.now()
            if wait > 0:
                bench.sleep(wait)
            begun = bench.now()
            (said,) = system.answer([question])
            timings.append(_timing(said, block, arrived=start + at, begun=begun, ended=bench.now()))
    return timings


def offline(bench: Bench) -> dict[str, Measured]:
    """All questions at once, in the generator's batches, once a block; arms take turns. Nothing is known of a single question."""
    for arm, system in bench.systems.items():
        system.answer(bench.warm_up[arm])
    order = rounds(list(bench.systems), bench.protocol.n_blocks, bench.protocol.seed)
    passes: dict[str, list[Pass]] = {arm: [] for arm in bench.systems}
    for at, arms in enumerate(order):
        for arm in arms:
            with _undisturbed():
                begun = bench.now()
                said = bench.systems[arm].answer(bench.questions)
                seconds = bench.now() - begun
            passes[arm].append(Pass(at, len(said), sum(_counted(one.n_output_tokens) for one in said), seconds))
    return {arm: Measured(passes=tuple(all_)) for arm, all_ in passes.items()}


SCENARIOS: Mapping[str, Callable[[Bench], dict[str, Measured]]] = {
    scenario.__name__: scenario for scenario in (single_stream, offline, poisson)
}


def _warm(bench: Bench) -> dict[str, System]:
    """The systems, timed question by question, after their warm-up."""
    systems = {arm: alone(system, bench.protocol.forced_tokens) for arm, system in bench.systems.items()}
    with progress("warming up", sum(map(len, bench.warm_up.values()))) as advance:
        for arm, system in systems.items():
            for question in bench.warm_up[arm]:
                system.answer([question])
                advance(1)
    return systems


@contextmanager
def _undisturbed() -> Iterator[None]:
    """No garbage collection inside; what there is, is collected before."""
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _timing(said: Prediction, block: int, arrived: float, begun: float, ended: float) -> Timing:
    return Timing(
        example_id=said.example_id,
        block=block,
        n_prompt_tokens=_counted(said.n_prompt_tokens),
        n_output_tokens=_counted(said.n_output_tokens),
        seconds=said.seconds,
        e2e_s=ended - arrived,
        queue_s=begun - arrived,
    )


def _counted(n: int | None) -> int:
    if n is None:
        raise ValueError("a timed generator must count tokens, got none.")
    return n
