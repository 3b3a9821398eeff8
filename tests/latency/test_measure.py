"""Every arm answers every question under the same conditions, and waiting counts."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from rag_eval.adapt.majority import MajorityAnswers
from rag_eval.errors import ConfigError, DataError
from rag_eval.generate.echo import Echo
from rag_eval.latency.cold_start import cold_start
from rag_eval.latency.measure import measure
from rag_eval.latency.record import ColdStart, LatencyRecord
from rag_eval.latency.schedule import poisson_arrivals
from rag_eval.latency.summary import summarised
from rag_eval.latency.warm_up import prompt_lengths, warm_up_positions
from rag_eval.system import System
from rag_eval.types import Example, Generation, Prompt, Timed
from tests.claims import every
from tests.latency.systems import QUESTIONS, Clock, Slow, echo, protocol, rag

RUNS = {"finetune": "f0", "rag": "r0"}


def measured(systems: dict[str, System], clock: Clock, examples: Sequence[Example] = QUESTIONS, **changes: Any) -> list[LatencyRecord]:
    return measure(systems, examples, protocol(**changes), "s1", RUNS, now=clock.now, sleep=clock.sleep)


def test_both_arms_are_asked_the_same_questions_and_the_stages_are_theirs(tmp_path: Path) -> None:
    records = measure({"finetune": echo(), "rag": rag(tmp_path)}, QUESTIONS, protocol(), "s1", RUNS)
    finetune, rag_ = records
    assert [(one.arm, one.run_id, one.session) for one in records] == [("finetune", "f0", "s1"), ("rag", "r0", "s1")]
    assert [one.example_id for one in finetune.timings] == [one.example_id for one in rag_.timings]
    assert len({one.example_id for one in finetune.timings}) == 12
    assert [one.block for one in rag_.timings] == [0] * 4 + [1] * 4 + [2] * 4
    assert {tuple(one.seconds) for one in finetune.timings} == {("prompt", "generate")}
    assert {tuple(one.seconds) for one in rag_.timings} == {("embed", "search", "prompt", "generate")}
    assert every(0 < sum(one.seconds.values()) <= one.e2e_s for record in records for one in record.timings)
    assert every(few.n_prompt_tokens < many.n_prompt_tokens for few, many in zip(finetune.timings, rag_.timings, strict=True))


def test_the_conditions_name_device_threads_and_the_other_arms(tmp_path: Path) -> None:
    n_threads = torch.get_num_threads()
    finetune, rag_ = measure({"finetune": echo(), "rag": rag(tmp_path)}, QUESTIONS, protocol(), "s1", RUNS)
    assert (finetune.protocol["interleaved_with"], rag_.protocol["interleaved_with"]) == (["rag"], ["finetune"])
    assert (finetune.protocol["device"], finetune.protocol["dtype"], finetune.protocol["threads"]) == ("cpu", None, n_threads)
    assert torch.get_num_threads() == n_threads


def test_warm_up_comes_before_every_timing_and_is_not_counted() -> None:
    clock = Clock()
    slow = Slow(clock, 1.0, 0.0)
    (record,) = measured({"finetune": echo(generator=slow)}, clock, n_warmup=5)
    assert len(slow.asked) == 5 + 12  # all prompts are of one shape
    assert slow.asked[5:] == [one.example_id for one in record.timings]


def test_every_shape_is_warmed_up_as_often_as_asked() -> None:
    assert warm_up_positions([3, 100, 4, 3, 70], 4) == [0, 2, 3, 0, 1, 4, 1, 4]


def test_the_lengths_are_those_of_the_rendered_prompts_without_asking_the_model(tmp_path: Path) -> None:
    slow = Slow(Clock(), 1.0, 0.0)
    system = rag(tmp_path, slow)
    lengths = prompt_lengths("rag", system, QUESTIONS[:5])
    assert slow.asked == []
    assert lengths == [one.n_prompt_tokens for one in system.answer(QUESTIONS[:5])]


def test_a_question_that_does_not_fit_cannot_be_timed() -> None:
    tight = echo(generator=Echo(max_words=3, max_prompt_tokens=12))
    long = Example("long", "why " * 20, ("x",))
    with pytest.raises(DataError, match=r"finetune: 1 of 13 questions do not fit the model \(first: 'long'\)"):
        measured({"finetune": tight}, Clock(), [*QUESTIONS[:12], long], n_queries=13)


def test_an_answer_counts_from_its_question_to_its_last_token() -> None:
    clock = Clock()
    (record,) = measured({"finetune": echo(generator=Slow(clock, 0.5, 0.25))}, clock)
    assert {(one.e2e_s, one.queue_s, one.n_output_tokens) for one in record.timings} == {(1.0, 0.0, 3)}
    assert {(one.seconds["prefill"], one.seconds["decode"]) for one in record.timings} == {(0.5, 0.5)}


def test_the_end_token_counts_among_the_tokens_of_an_answer_because_it_took_a_pass() -> None:
    class Ends(Echo):
        def time_one(self, prompt: Prompt, forced_tokens: int | None) -> Timed:
            timed = super().time_one(prompt, forced_tokens)
            return replace(timed, n_generated=timed.n_generated + 1)

    (record,) = measured({"finetune": echo(generator=Ends(max_words=3))}, Clock())
    assert {one.n_output_tokens for one in record.timings} == {4}


def test_a_drift_of_the_machine_falls_on_both_arms_alike() -> None:
    clock = Clock()

    class Tiring(Slow):
        """Every answer, of whatever arm, takes a millisecond longer than the one before."""

        def time_one(self, prompt: Prompt, forced_tokens: int | None) -> Timed:
            tired.append(prompt.example_id)
            self.first_s = 1.0 + len(tired) / 1000
            return super().time_one(prompt, forced_tokens)

    tired: list[str] = []
    a, b = (echo(generator=Tiring(clock, 1.0, 0.0)) for _ in range(2))
    first, second = measured({"finetune": a, "rag": b}, clock)
    assert sum(one.e2e_s for one in first.timings) == pytest.approx(sum(one.e2e_s for one in second.timings), abs=1e-9)


def test_garbage_is_collected_between_timings_and_never_within() -> None:
    clock, was_on = Clock(), []

    class Watching(Slow):
        def time_one(self, prompt: Prompt, forced_tokens: int | None) -> Timed:
            was_on.append(gc.isenabled())
            return super().time_one(prompt, forced_tokens)

    measured({"finetune": echo(generator=Watching(clock, 1.0, 0.0))}, clock)
    assert was_on == [True] * 2 + [False] * 12  # warm-up, then the questions
    assert gc.isenabled()


def test_every_answer_has_the_forced_length() -> None:
    (record,) = measure({"finetune": echo()}, QUESTIONS, protocol(forced_tokens=32), "s1", RUNS)
    assert {one.n_output_tokens for one in record.timings} == {32}
    assert record.protocol["forced_tokens"] == 32


def test_a_slow_server_makes_its_queue_wait_from_the_scheduled_arrival_on() -> None:
    clock = Clock()
    (record,) = measured({"finetune": echo(generator=Slow(clock, 1.0, 0.0))}, clock, scenario="poisson", rate_per_s=100.0, n_blocks=2)
    arrivals = poisson_arrivals(100.0, 12, 0)
    for block in (0, 1):  # each begins with an empty queue
        timings = record.timings[6 * block : 6 * block + 6]
        due = [at - (arrivals[5] if block else 0.0) for at in arrivals[6 * block : 6 * block + 6]]
        # The worker is free at due[0] and then once a second; request n ends n + 1 s after due[0].
        assert [one.e2e_s for one in timings] == pytest.approx([due[0] + n + 1 - at for n, at in enumerate(due)])
        assert [one.queue_s for one in timings] == pytest.approx([due[0] + n - at for n, at in enumerate(due)])
        assert timings[-1].e2e_s > 5.0
    assert clock.slept == pytest.approx([arrivals[0], arrivals[6] - arrivals[5]])  # the worker is idle at the start of a block alone


def test_a_fast_server_waits_for_its_questions_and_they_do_not_wait() -> None:
    clock = Clock()
    (record,) = measured({"finetune": echo(generator=Slow(clock, 0.5, 0.0))}, clock, scenario="poisson", rate_per_s=0.001)
    assert [one.e2e_s for one in record.timings] == pytest.approx([0.5] * 12)
    assert [one.queue_s for one in record.timings] == pytest.approx([0.0] * 12)
    assert len(clock.slept) == 12


def test_both_arms_get_the_same_arrivals() -> None:
    clock = Clock()
    slow, fast = (echo(generator=Slow(clock, seconds, 0.0)) for seconds in (2.0, 1.0))
    first, second = measured({"finetune": slow, "rag": fast}, clock, scenario="poisson", rate_per_s=100.0, n_blocks=2)
    # In a block of 6 the n-th of a backlog waits for n - 1 others: half as long where the others take half the time.
    for a, b in zip(first.timings, second.timings, strict=True):
        assert a.example_id == b.example_id
        assert b.e2e_s == pytest.approx(a.e2e_s - 1.0 * (1 + [one.example_id for one in first.timings].index(a.example_id) % 6))


def test_offline_counts_questions_and_tokens_a_second_and_no_single_question() -> None:
    clock = Clock()

    class Batched(Echo):
        def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
            clock.at += 0.5 * len(prompts)
            n_asked.append(len(prompts))
            return super().generate(prompts)

    n_asked: list[int] = []
    (record,) = measured({"finetune": echo(generator=Batched(max_words=3))}, clock, scenario="offline", n_blocks=2)
    assert n_asked == [2, 12, 12]
    assert record.timings == ()
    assert [(one.block, one.n_queries, one.n_output_tokens, one.seconds) for one in record.passes] == [(0, 12, 36, 6.0), (1, 12, 36, 6.0)]
    found = summarised(record)
    assert {name: one.value for name, one in found.items()} == {"throughput/queries_per_s": 2.0, "throughput/tokens_per_s": 6.0}


def test_a_cold_start_is_loading_and_the_first_question_apart() -> None:
    clock = Clock()
    slow = Slow(clock, 0.5, 0.0)

    def build() -> System:
        clock.at += 7.0
        return echo(generator=slow)

    system, cold = cold_start(build, QUESTIONS[0], None, now=clock.now)
    assert cold == ColdStart(load_s=7.0, first_query_s=0.5)
    assert slow.asked == ["q0"]
    cold_protocol = protocol(cache_state="cold")
    (record,) = measure({"rag": system}, QUESTIONS, cold_protocol, "s1", RUNS, {"rag": cold}, now=clock.now, sleep=clock.sleep)
    assert record.cold_start == cold
    assert len(record.timings) == 12
    with pytest.raises(ValueError, match="expected a cold start for every arm, found none for rag"):
        measure({"rag": system}, QUESTIONS, cold_protocol, "s1", RUNS)


def test_what_cannot_be_measured_is_refused_before_anything_is() -> None:
    with pytest.raises(ConfigError, match="n_queries is 61, but there are 60 questions"):
        measure({"rag": echo()}, QUESTIONS, protocol(n_queries=61), "s1", RUNS)
    with pytest.raises(ValueError, match="expected a run id for every arm, found none for oracle"):
        measure({"rag": echo(), "oracle": echo()}, QUESTIONS, protocol(), "s1", RUNS)
    with pytest.raises(ConfigError, match="MajorityAnswers cannot be timed request by request"):
        measure({"rag": echo(generator=MajorityAnswers({}, "x"))}, QUESTIONS, protocol(), "s1", RUNS)


def test_the_seed_decides_the_questions_and_their_order() -> None:
    asked = [
        Counter(one.example_id for one in measure({"rag": echo()}, QUESTIONS, protocol(seed=seed), "s1", RUNS)[0].timings)
        for seed in (0, 0, 1)
    ]
    assert asked[0] == asked[1] != asked[2]
